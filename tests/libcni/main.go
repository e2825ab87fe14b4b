// Makes one call of libcni's. The call comes as JSON on stdin, what came of it goes as JSON to stdout; stderr is
// the plugins'. It is built with several versions of libcni: newer.go has what the older ones do not know.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
)

type call struct {
	Verb         string
	List         json.RawMessage // the conflist
	Path         []string        // where plugins are
	Cache        string          // the folder for cached results
	Container    string
	Ifname       string
	Netns        string
	Args         [][2]string
	Capabilities map[string]interface{}
	Valid        json.RawMessage // GC: absent, null, or a list of attachments
}

type outcome struct {
	Result       json.RawMessage `json:"result,omitempty"`
	Capabilities []string        `json:"capabilities,omitempty"`
	Versions     []string        `json:"versions,omitempty"`
	Error        string          `json:"error,omitempty"`
	Code         uint            `json:"code,omitempty"` // of a plugin's error object
}

type driver struct {
	ctx  context.Context
	cni  *libcni.CNIConfig
	list *libcni.NetworkConfigList
	rt   *libcni.RuntimeConf
}

func (d *driver) keep(result types.Result, err error, out *outcome) error {
	if err != nil || result == nil {
		return err
	}
	out.Result, err = json.Marshal(result)
	return err
}

func (d *driver) do(c *call, out *outcome) (err error) {
	switch c.Verb {
	case "ADD":
		result, err := d.cni.AddNetworkList(d.ctx, d.list, d.rt)
		return d.keep(result, err, out)
	case "CACHED":
		result, err := d.cni.GetNetworkListCachedResult(d.list, d.rt)
		return d.keep(result, err, out)
	case "CHECK":
		return d.cni.CheckNetworkList(d.ctx, d.list, d.rt)
	case "DEL":
		return d.cni.DelNetworkList(d.ctx, d.list, d.rt)
	case "VALIDATE":
		out.Capabilities, err = d.cni.ValidateNetworkList(d.ctx, d.list)
		return err
	case "VERSION":
		info, err := d.cni.GetVersionInfo(d.ctx, d.list.Plugins[0].Network.Type)
		if err == nil {
			out.Versions = info.SupportedVersions()
		}
		return err
	}
	return d.newer(c)
}

func run(c *call, out *outcome) error {
	list, err := libcni.ConfListFromBytes(c.List)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	d := driver{
		ctx:  ctx,
		cni:  libcni.NewCNIConfigWithCacheDir(c.Path, c.Cache, nil),
		list: list,
		rt: &libcni.RuntimeConf{ContainerID: c.Container, IfName: c.Ifname, NetNS: c.Netns, Args: c.Args,
			CapabilityArgs: c.Capabilities},
	}
	return d.do(c, out)
}

func main() {
	var c call
	var out outcome
	var plugins *types.Error

	if err := json.NewDecoder(os.Stdin).Decode(&c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if err := run(&c, &out); err != nil {
		out.Error = err.Error()
		if errors.As(err, &plugins) {
			out.Code = plugins.Code
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		os.Exit(2)
	}
}
