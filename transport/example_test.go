package transport_test

import (
	"context"
	"fmt"
	"io"

	"holdfast/transport"
)

// Two protocols share one port; each server only sees its own connections.
func Example() {
	network := transport.NewMemory() // transport.TCP() in a daemon
	n1, n2 := network.Host("n1"), network.Host("n2")

	l, err := n1.Listen(":2380")
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := transport.NewMux(l)
	defer mux.Close()
	forward := mux.Listener(transport.ProtoForward)

	go func() {
		c, err := transport.DialProto(context.Background(), n2, "n1:2380", transport.ProtoForward)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer c.Close()
		io.WriteString(c, "a request from n2")
	}()

	c, err := forward.Accept()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	b, err := io.ReadAll(c)
	fmt.Println(string(b), err)
	// Output: a request from n2 <nil>
}

// Memory loses nothing: what is sent over a cut link arrives once it is healed.
func ExampleMemory() {
	network := transport.NewMemory()
	l, err := network.Host("n1").Listen(":1")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	c, err := network.Host("n2").Dial(context.Background(), "n1:1")
	if err != nil {
		fmt.Println(err)
		return
	}
	network.Cut("n1", "n2")
	io.WriteString(c, "late")
	c.Close()
	network.Heal("n1", "n2")

	s, err := l.Accept()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	b, err := io.ReadAll(s)
	fmt.Println(string(b), err)
	// Output: late <nil>
}
