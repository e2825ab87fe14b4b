// A client of the Container Runtime Interface, for the tests: what a kubelet asks of a runtime to make and remove pods.
//
//	cri SOCKET status                          the conditions, a line each
//	cri SOCKET run NAME UID ATTEMPT [KEY=VALUE...]
//	                                           makes the sandbox of pod NAME with these annotations, prints its id;
//	                                           ATTEMPT counts the pod's sandboxes, from 0 on
//	cri SOCKET all | ready                     the ids of all pods, of those that run
//	cri SOCKET addresses ID                    a pod's addresses
//	cri SOCKET stop ID | remove ID
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func sandbox(name, uid string, attempt uint32, annotations []string) *cri.PodSandboxConfig {
	config := &cri.PodSandboxConfig{
		Metadata:     &cri.PodSandboxMetadata{Name: name, Uid: uid, Attempt: attempt, Namespace: "tests"},
		Hostname:     name,
		LogDirectory: os.TempDir(),
		Annotations:  map[string]string{},
		Linux: &cri.LinuxPodSandboxConfig{
			CgroupParent: os.Getenv("CGROUP_PARENT"),
			SecurityContext: &cri.LinuxSandboxSecurityContext{
				NamespaceOptions: &cri.NamespaceOption{Pid: cri.NamespaceMode_CONTAINER},
			},
		},
	}
	for _, pair := range annotations {
		key, value, _ := strings.Cut(pair, "=")
		config.Annotations[key] = value
	}
	return config
}

func do(ctx context.Context, runtime cri.RuntimeServiceClient, verb string, args []string) error {
	switch verb {
	case "status":
		said, err := runtime.Status(ctx, &cri.StatusRequest{})
		if err == nil {
			for _, c := range said.Status.Conditions {
				fmt.Printf("%s=%v %s %s\n", c.Type, c.Status, c.Reason, c.Message)
			}
		}
		return err
	case "run":
		attempt, err := strconv.ParseUint(args[2], 10, 32)
		if err != nil {
			return err
		}
		made, err := runtime.RunPodSandbox(ctx, &cri.RunPodSandboxRequest{Config: sandbox(args[0], args[1], uint32(attempt), args[3:])})
		if err == nil {
			fmt.Println(made.PodSandboxId)
		}
		return err
	case "all", "ready":
		said, err := runtime.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{})
		if err == nil {
			for _, pod := range said.Items {
				if verb == "all" || pod.State == cri.PodSandboxState_SANDBOX_READY {
					fmt.Println(pod.Id)
				}
			}
		}
		return err
	case "addresses":
		said, err := runtime.PodSandboxStatus(ctx, &cri.PodSandboxStatusRequest{PodSandboxId: args[0]})
		if err == nil && said.Status.Network != nil {
			fmt.Println(said.Status.Network.Ip)
			for _, more := range said.Status.Network.AdditionalIps {
				fmt.Println(more.Ip)
			}
		}
		return err
	case "stop":
		_, err := runtime.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: args[0]})
		return err
	case "remove":
		_, err := runtime.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: args[0]})
		return err
	}
	return fmt.Errorf("unknown verb %q", verb)
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: cri SOCKET VERB [ARGUMENT...]")
		os.Exit(2)
	}
	connection, err := grpc.NewClient("unix://"+os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		err = do(ctx, cri.NewRuntimeServiceClient(connection), os.Args[2], os.Args[3:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
