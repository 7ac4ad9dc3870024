package versus

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"google.golang.org/protobuf/encoding/protowire"

	"holdfast/jepsen/process"
)

// maxMessageBytes bounds one message of an answer.
const maxMessageBytes = 4 << 20

// v3 is etcd's v3 API: gRPC, which is HTTP/2 with framed messages and a status
// in the trailer. Of the messages, only the few fields needed are known here;
// etcd's client library would bring all of etcd's modules into this one, and
// its choice of endpoints and retries is what must not differ between the stores.
type v3 struct {
	client *http.Client
	singly int // how many keys, the last ones, are loaded one by one
}

func newV3() *v3 {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	return &v3{client: &http.Client{Transport: &http.Transport{Protocols: &protocols}}, singly: lastSingly}
}

func (a *v3) hangUp() { a.client.CloseIdleConnections() }

// call sends one message to a method and hands each message of the answer to
// receive, whose argument is good until it returns.
func (a *v3) call(ctx context.Context, endpoint, method string, message []byte, receive func([]byte) error) error {
	frame := make([]byte, 5, 5+len(message)) // not compressed; the length
	binary.BigEndian.PutUint32(frame[1:], uint32(len(message)))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint+"/etcdserverpb."+method, bytes.NewReader(append(frame, message...)))
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("TE", "trailers")
	resp, err := a.client.Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: HTTP status %d", method, resp.StatusCode)
	}
	if err := readMessages(resp.Body, receive); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	// An answer without messages has its status in the header.
	status, text := resp.Trailer.Get("Grpc-Status"), resp.Trailer.Get("Grpc-Message")
	if status == "" {
		status, text = resp.Header.Get("Grpc-Status"), resp.Header.Get("Grpc-Message")
	}
	if status != "0" {
		if plain, err := url.PathUnescape(text); err == nil {
			text = plain
		}
		return fmt.Errorf("%s: gRPC status %q: %s", method, status, text)
	}
	return nil
}

// readMessages takes an answer's frames apart.
func readMessages(r io.Reader, receive func([]byte) error) error {
	var head [5]byte
	var message []byte
	for {
		switch _, err := io.ReadFull(r, head[:]); {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("read answer: %w", err)
		case head[0] != 0:
			return errors.New("read answer: a compressed message, which was not asked for")
		}
		n := binary.BigEndian.Uint32(head[1:])
		if n > maxMessageBytes {
			return fmt.Errorf("read answer: a message of %d bytes, the limit is %d", n, maxMessageBytes)
		}
		if uint32(cap(message)) < n {
			message = make([]byte, n)
		}
		message = message[:n]
		if _, err := io.ReadFull(r, message); err != nil {
			return fmt.Errorf("read answer: %w", errors.Join(err, io.ErrUnexpectedEOF))
		}
		if err := receive(message); err != nil {
			return err
		}
	}
}

// fields hands a message's fields to f: a number for a varint, bytes for what
// has a length. Other fields are passed over.
func fields(message []byte, f func(field protowire.Number, number uint64, content []byte)) error {
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return fmt.Errorf("read message: %w", protowire.ParseError(n))
		}
		message = message[n:]
		var number uint64
		var content []byte
		switch kind {
		case protowire.VarintType:
			number, n = protowire.ConsumeVarint(message)
		case protowire.BytesType:
			content, n = protowire.ConsumeBytes(message)
		default:
			n = protowire.ConsumeFieldValue(field, kind, message)
		}
		if n < 0 {
			return fmt.Errorf("read message: %w", protowire.ParseError(n))
		}
		message = message[n:]
		if kind == protowire.VarintType || kind == protowire.BytesType {
			f(field, number, content)
		}
	}
	return nil
}

func appendBytes(b []byte, field protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), content)
}

// putRequest is a PutRequest: key 1, value 2.
func putRequest(key, value string) []byte {
	return appendBytes(appendBytes(nil, 1, []byte(key)), 2, []byte(value))
}

func (a *v3) put(ctx context.Context, endpoint, key, value string) error {
	return a.call(ctx, endpoint, "KV/Put", putRequest(key, value), func([]byte) error { return nil })
}

// putAll puts several keys in one transaction: a TxnRequest without conditions,
// whose field 2, for success, holds a RequestOp each, whose field 2 is the put.
func (a *v3) putAll(ctx context.Context, endpoint string, puts [][]byte) error {
	var request []byte
	for _, p := range puts {
		request = appendBytes(request, 2, appendBytes(nil, 2, p))
	}
	return a.call(ctx, endpoint, "KV/Txn", request, func([]byte) error { return nil })
}

// leads asks for the member's Status: header 1, with the member's id 2; leader 4.
func (a *v3) leads(ctx context.Context, m *process.Member) (bool, error) {
	var member, leader uint64
	err := a.call(ctx, m.ClientURL, "Maintenance/Status", nil, func(message []byte) error {
		var inner error
		err := fields(message, func(field protowire.Number, number uint64, content []byte) {
			switch field {
			case 1:
				inner = fields(content, func(field protowire.Number, number uint64, _ []byte) {
					if field == 2 {
						member = number
					}
				})
			case 4:
				leader = number
			}
		})
		return errors.Join(err, inner)
	})
	return err == nil && leader != 0 && leader == member, err
}

// snapshotPage and snapshotSum are what an etcd snapshot is made of: pages of
// its database, and their SHA-256.
const (
	snapshotPage = 512
	snapshotSum  = 32
)

// snapshot copies the blobs, field 3, of Maintenance/Snapshot.
func (a *v3) snapshot(ctx context.Context, endpoint string, w io.Writer) error {
	var size int64
	err := a.call(ctx, endpoint, "Maintenance/Snapshot", nil, func(message []byte) error {
		var written error
		err := fields(message, func(field protowire.Number, _ uint64, content []byte) {
			if field != 3 || written != nil {
				return
			}
			size += int64(len(content))
			_, written = w.Write(content)
		})
		return errors.Join(err, written)
	})
	if err == nil && (size <= snapshotSum || size%snapshotPage != snapshotSum) {
		err = fmt.Errorf("Maintenance/Snapshot: %d bytes are no whole snapshot", size)
	}
	return err
}
