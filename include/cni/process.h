/* What a plugin does to its own process before anything else. */
#ifndef CNI_PROCESS_H
#define CNI_PROCESS_H

/*
 * Descriptors 0 to 2 exist, no core dump and no other process of this user shows the
 * configuration's secrets, a reader that is gone is an error instead of a signal. Returns what
 * catch_signals returns.
 */
int harden_process(void);

#endif
