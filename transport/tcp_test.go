//go:build !wasip1

package transport

func init() {
	networks["tcp"] = func() (Network, string) { return TCP(), "127.0.0.1:0" }
}
