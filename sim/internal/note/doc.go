// Package note is how a process in the simulator tells its host something. It is for the simulator's guests, not for
// production code, which knows nothing of being simulated.
package note
