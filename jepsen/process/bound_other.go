//go:build !linux

package process

import "os/exec"

// startBound starts cmd; this system cannot bind its life to ours.
func startBound(cmd *exec.Cmd) error { return cmd.Start() }
