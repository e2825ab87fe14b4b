//go:build !older

package main

import (
	"encoding/json"
	"errors"

	"github.com/containernetworking/cni/libcni"
)

func (d *driver) newer(c *call) error {
	switch c.Verb {
	case "STATUS":
		return d.cni.GetStatusNetworkList(d.ctx, d.list)
	case "GC":
		if c.Valid == nil {
			return d.cni.GCNetworkList(d.ctx, d.list, nil)
		}
		var args libcni.GCArgs
		if err := json.Unmarshal(c.Valid, &args.ValidAttachments); err != nil {
			return err
		}
		return d.cni.GCNetworkList(d.ctx, d.list, &args)
	}
	return errors.New("no such verb: " + c.Verb)
}
