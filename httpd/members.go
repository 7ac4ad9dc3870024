package httpd

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"holdfast/kernel"
)

const (
	membersPrefix  = "/v2/members"
	membersMethods = "GET,POST,DELETE,PUT"

	noMemberChanges = "changing the members of a running cluster is not supported by this version of holdfast; " +
		"start the cluster with the members it is to have"
)

// member is a member in the members API.
type member struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	PeerURLs   []string `json:"peerURLs"`
	ClientURLs []string `json:"clientURLs"`
}

func newMember(m *kernel.Member) member {
	// Lists are never null.
	return member{
		ID: strconv.FormatUint(m.ID, 16), Name: m.Name,
		PeerURLs: append([]string{}, m.PeerURLs...), ClientURLs: append([]string{}, m.ClientURLs...),
	}
}

// members is the member table, by id. A member that is not ready has one too,
// but it may be older than what this member has shown before.
func (s *Server) members() ([]kernel.Member, error) {
	view, err := s.replica.Local()
	if err != nil {
		return nil, err
	}
	return view.Members, nil
}

func (s *Server) serveMembers(ctx *fasthttp.RequestCtx, x *exchange) {
	method := string(ctx.Method())
	switch method {
	case "GET", "POST", "DELETE", "PUT":
	default:
		notAllowed(ctx, membersMethods)
		return
	}
	ctx.Response.Header.SetCanonical(headerClusterID, s.clusterID)
	members, err := s.members()
	if err != nil {
		sendMessage(ctx, fasthttp.StatusServiceUnavailable, refusalOf(err).Cause)
		return
	}
	rest := strings.TrimPrefix(string(x.path[len(membersPrefix):]), "/")
	switch method {
	case "GET":
		s.getMembers(ctx, members, rest)
	case "POST":
		s.addMember(ctx, members)
	default:
		s.changeMember(ctx, members, rest, method == "PUT")
	}
}

func (s *Server) getMembers(ctx *fasthttp.RequestCtx, members []kernel.Member, rest string) {
	switch rest {
	case "":
		list := make([]member, len(members))
		for i := range members {
			list[i] = newMember(&members[i])
		}
		sendJSON(ctx, struct {
			Members []member `json:"members"`
		}{list})
	case "leader":
		leader := s.replica.Status().LeaderID
		i := slices.IndexFunc(members, func(m kernel.Member) bool { return m.ID == leader })
		if i < 0 {
			sendMessage(ctx, fasthttp.StatusServiceUnavailable, "During election")
			return
		}
		sendJSON(ctx, newMember(&members[i]))
	default:
		sendMessage(ctx, fasthttp.StatusNotFound, "Not found")
	}
}

func sendJSON(ctx *fasthttp.RequestCtx, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		sendMessage(ctx, fasthttp.StatusInternalServerError, err.Error())
		return
	}
	ctx.Response.Header.SetContentType(typeJSON)
	ctx.Response.SetBody(append(body, '\n'))
}

// addMember answers what can be answered without adding anybody.
func (s *Server) addMember(ctx *fasthttp.RequestCtx, members []kernel.Member) {
	urls, ok := readPeerURLs(ctx)
	switch {
	case !ok:
	case inUse(members, 0, urls):
		sendMessage(ctx, fasthttp.StatusConflict, "membership: peerURL exists")
	default:
		sendMessage(ctx, fasthttp.StatusServiceUnavailable, noMemberChanges)
	}
}

func (s *Server) changeMember(ctx *fasthttp.RequestCtx, members []kernel.Member, name string, update bool) {
	if name == "" {
		notAllowed(ctx, "")
		return
	}
	id, err := strconv.ParseUint(name, 16, 64)
	if err != nil {
		sendMessage(ctx, fasthttp.StatusNotFound, "No such member: "+name)
		return
	}
	var urls []string
	if update {
		var ok bool
		if urls, ok = readPeerURLs(ctx); !ok {
			return
		}
	}
	i := slices.IndexFunc(members, func(m kernel.Member) bool { return m.ID == id })
	switch {
	case i < 0:
		sendMessage(ctx, fasthttp.StatusNotFound, "No such member: "+strconv.FormatUint(id, 16))
	case update && inUse(members, id, urls):
		sendMessage(ctx, fasthttp.StatusConflict, "membership: peerURL exists")
	case update && slices.Equal(urls, slices.Sorted(slices.Values(members[i].PeerURLs))):
		ctx.SetStatusCode(fasthttp.StatusNoContent) // it has them already
	default:
		sendMessage(ctx, fasthttp.StatusServiceUnavailable, noMemberChanges)
	}
}

// inUse tells whether a member other than id has one of the URLs.
func inUse(members []kernel.Member, id uint64, urls []string) bool {
	return slices.ContainsFunc(members, func(m kernel.Member) bool {
		return m.ID != id && slices.ContainsFunc(m.PeerURLs, func(u string) bool { return slices.Contains(urls, u) })
	})
}

// readPeerURLs reads a request of the members API, and answers it if it is
// none.
func readPeerURLs(ctx *fasthttp.RequestCtx) (urls []string, ok bool) {
	if media := trimFold(string(ctx.Request.Header.ContentType())); media != typeJSON {
		sendMessage(ctx, fasthttp.StatusUnsupportedMediaType, "Bad Content-Type "+media+", accept application/json")
		return nil, false
	}
	request := struct {
		PeerURLs []string `json:"peerURLs"`
	}{}
	err := json.Unmarshal(ctx.Request.Body(), &request)
	if err == nil {
		urls, err = checkURLs(request.PeerURLs)
	}
	if err != nil {
		sendMessage(ctx, fasthttp.StatusBadRequest, err.Error())
		return nil, false
	}
	return urls, true
}

// checkURLs checks peer URLs as etcd does, with its words, and sorts them.
func checkURLs(list []string) ([]string, error) {
	if len(list) == 0 {
		return nil, errors.New("no valid URLs given")
	}
	urls := make([]string, len(list))
	for i, text := range list {
		text = strings.TrimSpace(text)
		u, err := url.Parse(text)
		if err != nil {
			return nil, err
		}
		switch u.Scheme {
		case "http", "https", "unix", "unixs":
		default:
			return nil, fmt.Errorf("URL scheme must be http, https, unix, or unixs: %s", text)
		}
		if _, _, err := net.SplitHostPort(u.Host); err != nil {
			return nil, fmt.Errorf(`URL address does not have the form "host:port": %s`, text)
		}
		if u.Path != "" {
			return nil, fmt.Errorf("URL must not contain a path: %s", text)
		}
		urls[i] = u.String()
	}
	slices.Sort(urls)
	return urls, nil
}

// serveMachines serves what etcd 0.4 had and old clients still ask first.
func (s *Server) serveMachines(ctx *fasthttp.RequestCtx) {
	if !isMethod(ctx, methodGet) && !isMethod(ctx, methodHead) {
		notAllowed(ctx, "GET,HEAD")
		return
	}
	members, err := s.members()
	if err != nil {
		plainError(ctx, fasthttp.StatusServiceUnavailable, refusalOf(err).Cause)
		return
	}
	var urls []string
	for i := range members {
		urls = append(urls, members[i].ClientURLs...)
	}
	slices.Sort(urls)
	ctx.Response.Header.SetContentType(typeText)
	ctx.Response.SetBodyString(strings.Join(urls, ", "))
}
