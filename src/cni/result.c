#include "cni/result.h"

#include <stdlib.h>

int result_add_ip(struct result *r, const struct result_ip *ip)
{
	struct result_ip *ips = realloc(r->ips, (r->n_ips + 1) * sizeof(*ips));

	if (!ips)
		return -1;
	ips[r->n_ips] = *ip;
	r->ips = ips;
	r->n_ips++;
	return 0;
}

int result_check_capacity(const struct result *r, enum cni_version v, struct err *e)
{
	size_t n[2] = { 0, 0 };

	if (v >= CNI_0_3_0)
		return 0;
	for (size_t i = 0; i < r->n_ips; i++)
		n[r->ips[i].address.family == 6]++;
	if (n[0] <= 1 && n[1] <= 1)
		return 0;
	err_set(e, CNI_INVALID_NETWORK_CONFIG,
		"protocol version %s has room for one IPv%d address, not for %zu",
		cni_version_text(v), n[0] > 1 ? 4 : 6, n[0] > 1 ? n[0] : n[1]);
	return err_details(e,
			   "set \"cniVersion\" to 0.3.1 or later, or ask for one of each family");
}

void result_free(struct result *r)
{
	free(r->ips);
	cJSON_Delete(r->interfaces);
	cJSON_Delete(r->routes);
	cJSON_Delete(r->dns);
	*r = (struct result){ 0 };
}
