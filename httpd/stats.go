package httpd

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"holdfast/transport/raftrpc"
)

// serveStats serves one of /v2/stats.
func (s *Server) serveStats(ctx *fasthttp.RequestCtx, collect func() (stats any, ok bool)) {
	if !isMethod(ctx, methodGet) {
		notAllowed(ctx, "GET")
		return
	}
	stats, ok := collect()
	if !ok {
		sendMessage(ctx, fasthttp.StatusForbidden, "not current leader")
		return
	}
	body, err := json.Marshal(stats)
	if err != nil {
		sendMessage(ctx, fasthttp.StatusInternalServerError, err.Error())
		return
	}
	ctx.Response.Header.SetContentType(typeJSON)
	ctx.Response.SetBody(body)
}

// storeStats are the counters of this member's store since its start.
func (s *Server) storeStats() (any, bool) {
	k := s.replica.StoreStats()
	return struct {
		GetsSuccess             uint64 `json:"getsSuccess"`
		GetsFail                uint64 `json:"getsFail"`
		SetsSuccess             uint64 `json:"setsSuccess"`
		SetsFail                uint64 `json:"setsFail"`
		DeleteSuccess           uint64 `json:"deleteSuccess"`
		DeleteFail              uint64 `json:"deleteFail"`
		UpdateSuccess           uint64 `json:"updateSuccess"`
		UpdateFail              uint64 `json:"updateFail"`
		CreateSuccess           uint64 `json:"createSuccess"`
		CreateFail              uint64 `json:"createFail"`
		CompareAndSwapSuccess   uint64 `json:"compareAndSwapSuccess"`
		CompareAndSwapFail      uint64 `json:"compareAndSwapFail"`
		CompareAndDeleteSuccess uint64 `json:"compareAndDeleteSuccess"`
		CompareAndDeleteFail    uint64 `json:"compareAndDeleteFail"`
		ExpireCount             uint64 `json:"expireCount"`
		Watchers                int    `json:"watchers"`
	}{
		s.getsSuccess.Load(), s.getsFail.Load(),
		k.Sets.Success, k.Sets.Fail, k.Deletes.Success, k.Deletes.Fail,
		k.Updates.Success, k.Updates.Fail, k.Creates.Success, k.Creates.Fail,
		k.Swaps.Success, k.Swaps.Fail, k.CompareDeletes.Success, k.CompareDeletes.Fail,
		k.Expired, s.replica.Watchers(),
	}, true
}

type leaderInfo struct {
	Leader    string    `json:"leader"`
	Uptime    string    `json:"uptime"`
	StartTime time.Time `json:"startTime"`
}

// selfStats are this member's own. Rates are left out while they are zero, as
// in etcd.
func (s *Server) selfStats() (any, bool) {
	status, net := s.replica.Status(), s.replica.TransportStats()
	leader := leaderInfo{Leader: strconv.FormatUint(status.LeaderID, 16), StartTime: status.LeaderSince.UTC()}
	if status.LeaderID != 0 {
		leader.Uptime = time.Since(status.LeaderSince).String()
	}
	appends := net.Traffic[raftrpc.ClassAppend]
	return struct {
		Name              string     `json:"name"`
		ID                string     `json:"id"`
		State             string     `json:"state"`
		StartTime         time.Time  `json:"startTime"`
		LeaderInfo        leaderInfo `json:"leaderInfo"`
		RecvAppendCount   uint64     `json:"recvAppendRequestCnt"`
		RecvPkgRate       float64    `json:"recvPkgRate,omitempty"`
		RecvBandwidthRate float64    `json:"recvBandwidthRate,omitempty"`
		SendAppendCount   uint64     `json:"sendAppendRequestCnt"`
		SendPkgRate       float64    `json:"sendPkgRate,omitempty"`
		SendBandwidthRate float64    `json:"sendBandwidthRate,omitempty"`
	}{
		status.Name, strconv.FormatUint(status.ID, 16), stateName(status.State), status.Started.UTC(), leader,
		appends.ReceivedRequests, net.RecvAppend.RequestsPerSecond, net.RecvAppend.BytesPerSecond,
		appends.SentRequests, net.SendAppend.RequestsPerSecond, net.SendAppend.BytesPerSecond,
	}, true
}

// stateName is a raft state by etcd's name: StateLeader, StateFollower, ...
func stateName(state string) string {
	if state == "" {
		return "State"
	}
	return "State" + strings.ToUpper(state[:1]) + state[1:]
}

// followerStats describes what a leader sent to one follower; latencies are
// milliseconds.
type followerStats struct {
	Latency struct {
		Current           float64 `json:"current"`
		Average           float64 `json:"average"`
		StandardDeviation float64 `json:"standardDeviation"`
		Minimum           float64 `json:"minimum"`
		Maximum           float64 `json:"maximum"`
	} `json:"latency"`
	Counts struct {
		Fail    uint64 `json:"fail"`
		Success uint64 `json:"success"`
	} `json:"counts"`
}

// leaderStats are what only a leader has: etcd's other members answer 403.
func (s *Server) leaderStats() (any, bool) {
	status := s.replica.Status()
	if status.State != "leader" {
		return nil, false
	}
	followers := map[string]followerStats{} // json.Marshal sorts them
	for _, p := range s.replica.PeerStats() {
		var f followerStats
		const ms = 1000
		f.Latency.Current, f.Latency.Average = p.Latency.Current*ms, p.Latency.Average*ms
		f.Latency.StandardDeviation = p.Latency.StandardDeviation * ms
		f.Latency.Minimum, f.Latency.Maximum = p.Latency.Minimum*ms, p.Latency.Maximum*ms
		f.Counts.Fail, f.Counts.Success = p.Fail, p.Success
		followers[string(p.ID)] = f
	}
	return struct {
		Leader    string                   `json:"leader"`
		Followers map[string]followerStats `json:"followers"`
	}{strconv.FormatUint(status.ID, 16), followers}, true
}
