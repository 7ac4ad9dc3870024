//go:build wasip1

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"holdfast/transport"

	"github.com/valyala/fasthttp"
)

func main() {
	parts := map[string]func([]string) error{
		"echo": echo, "ping": ping, "bulk": bulk, "silence": silence, "refused": refused, "files": files, "count": count,
		"sleepers": sleepers, "serve": serve, "get": get, "hold": hold, "deadline": deadline, "exit": exit, "flood": flood,
		"member": member, "client": clients,
	}
	if err := parts[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Println("FAILED", os.Args[1], err)
		os.Exit(1)
	}
}

// echo sends back what it gets, for ever. Arguments: address.
func echo(args []string) error {
	l, err := transport.Sim().Listen(args[0])
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			_, _ = io.Copy(c, c) // a client that goes away is no failure
		}()
	}
}

// ping exchanges lines with an echo until the time is up; a broken connection is made anew. Arguments: address, duration.
func ping(args []string) error {
	end, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	start, rounds, breaks := time.Now(), 0, 0
	for time.Since(start) < end {
		err := pingOnce(args[0], start.Add(end), &rounds)
		if err != nil {
			breaks++
			time.Sleep(time.Duration(rand.IntN(50)) * time.Millisecond)
		}
	}
	fmt.Printf("pinged rounds=%t breaks=%t\n", rounds > 10, breaks > 0)
	return nil
}

func pingOnce(addr string, until time.Time, rounds *int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	c, err := transport.Sim().Dial(ctx, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	in := bufio.NewReader(c)
	for time.Now().Before(until) {
		if err := c.SetDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
			return err
		}
		line := fmt.Sprintf("round %d %d\n", *rounds, rand.Uint64())
		if _, err := io.WriteString(c, line); err != nil {
			return err
		}
		back, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		if back != line {
			return fmt.Errorf("sent %q, got %q", line, back)
		}
		*rounds++
	}
	return nil
}

// bulk pushes more through an echo than any window holds. Arguments: address.
func bulk(args []string) error {
	c, err := transport.Sim().Dial(context.Background(), args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	if _, ok := c.RemoteAddr().(*net.TCPAddr); !ok {
		return fmt.Errorf("remote address is a %T", c.RemoteAddr())
	}
	if c.RemoteAddr().String() != args[0] {
		return fmt.Errorf("remote address is %s", c.RemoteAddr())
	}
	sent := make([]byte, 3<<20)
	for i := range sent {
		sent[i] = byte(i * 7 >> 3)
	}
	go func() { _, _ = c.Write(sent) }() // what is missing, the reader misses
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if !bytes.Equal(sent, got) {
		return errors.New("the echo differs")
	}
	return nil
}

// silence writes to a peer that never reads and must be stopped by its window, then by its deadline. Arguments: address.
func silence(args []string) error {
	c, err := transport.Sim().Dial(context.Background(), args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	n, err := c.Write(make([]byte, 1<<20))
	if !errors.Is(err, os.ErrDeadlineExceeded) || n >= 1<<20 || n == 0 {
		return fmt.Errorf("wrote %d, %v", n, err)
	}
	return nil
}

// hold accepts and never reads. Arguments: address.
func hold(args []string) error {
	l, err := transport.Sim().Listen(args[0])
	if err != nil {
		return err
	}
	var held []net.Conn
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		held = append(held, c)
	}
}

// refused dials where nobody listens. Arguments: address.
func refused(args []string) error {
	start := time.Now()
	_, err := transport.Sim().Dial(context.Background(), args[0])
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("got %v", err)
	}
	if time.Since(start) > time.Second {
		return errors.New("took long")
	}
	_, err = transport.Sim().Dial(context.Background(), "192.0.2.1:80")
	if err == nil {
		return errors.New("dialled a host that does not exist")
	}
	return nil
}

// deadline checks what closing and deadlines do to those who wait. Arguments: address of an echo.
func deadline(args []string) error {
	c, err := transport.Sim().Dial(context.Background(), args[0])
	if err != nil {
		return err
	}
	buf := make([]byte, 1)
	if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		return err
	}
	if _, err := c.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("read past the deadline: %v", err)
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	if _, err := c.Write([]byte("x")); err != nil {
		return err
	}
	if _, err := c.Read(buf); err != nil || buf[0] != 'x' {
		return fmt.Errorf("read with the deadline lifted: %q %v", buf, err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { _, err = c.Read(buf) })
	time.Sleep(10 * time.Millisecond)
	if err := c.Close(); err != nil {
		return err
	}
	wg.Wait()
	if !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("read while closed: %v", err)
	}
	if err := c.Close(); !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("closed twice: %v", err)
	}
	return closedListener()
}

func closedListener() error {
	l, err := transport.Sim().Listen(":0")
	if err != nil {
		return err
	}
	if _, err := transport.Sim().Listen(l.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("listened twice: %v", err)
	}
	go func() {
		time.Sleep(10 * time.Millisecond)
		_ = l.Close()
	}()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("accepted while closed: %v", err)
	}
	return nil
}

// count keeps a number in a file, one larger in every life, and stays. Arguments: none.
func count([]string) error {
	b, err := os.ReadFile("/data/count")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll("/data", 0o755); err != nil {
		return err
	}
	fmt.Printf("life %d\n", len(b))
	if err := os.WriteFile("/data/count", append(b, 'x'), 0o644); err != nil {
		return err
	}
	for {
		time.Sleep(time.Second)
	}
}

// sleepers lets timers of many lengths fire and checks each against the clock. Arguments: none.
func sleepers([]string) error {
	var wg sync.WaitGroup
	errs := make(chan error, 64)
	for range cap(errs) {
		d := time.Duration(rand.Int64N(int64(2 * time.Second)))
		wg.Go(func() {
			start := time.Now()
			time.Sleep(d)
			if took := time.Since(start); took < d || took > d+time.Millisecond {
				errs <- fmt.Errorf("slept %v for %v", took, d)
			}
		})
	}
	wg.Wait()
	close(errs)
	return <-errs
}

// serve is an HTTP server. Arguments: address.
func serve(args []string) error {
	l, err := transport.Sim().Listen(args[0])
	if err != nil {
		return err
	}
	return fasthttp.Serve(l, func(ctx *fasthttp.RequestCtx) {
		fmt.Fprintf(ctx, "%s %s from %s", ctx.Method(), ctx.Path(), ctx.RemoteIP())
	})
}

// get asks an HTTP server a few times. Arguments: address, expected source ip.
func get(args []string) error {
	client := fasthttp.Client{Dial: func(addr string) (net.Conn, error) {
		return transport.Sim().Dial(context.Background(), addr)
	}}
	for i := range 5 {
		status, body, err := client.GetTimeout(nil, fmt.Sprintf("http://%s/path/%d", args[0], i), time.Second)
		want := fmt.Sprintf("GET /path/%d from %s", i, args[1])
		if err != nil || status != 200 || string(body) != want {
			return fmt.Errorf("status %d, %q, %v", status, body, err)
		}
	}
	return nil
}

// flood opens connections until the host refuses one. Arguments: address.
func flood(args []string) error {
	for range 5000 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_, err := transport.Sim().Dial(ctx, args[0])
		cancel()
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ECONNREFUSED) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return errors.New("5000 connections, and no limit")
}

// exit ends with status 3.
func exit([]string) error {
	os.Exit(3)
	return nil
}
