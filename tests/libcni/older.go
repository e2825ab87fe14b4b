//go:build older

package main

import "errors"

func (d *driver) newer(c *call) error {
	return errors.New("this libcni has no " + c.Verb)
}
