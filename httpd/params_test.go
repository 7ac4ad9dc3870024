package httpd

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"
)

var paramNames = [paramCount]string{
	"recursive", "sorted", "wait", "dir", "quorum", "stream", "noValueOnSuccess",
	"prevIndex", "waitIndex", "prevValue", "prevExist", "value", "ttl", "refresh",
}

// requireSameParams compares what was scanned with what net/url makes of it.
func requireSameParams(t *testing.T, want url.Values, p *params) {
	for which, name := range paramNames {
		values, given := want[name]
		require.Equal(t, given, p.given[which], name)
		if given {
			require.Equal(t, values[0], string(p.values[which]), name)
		}
	}
}

func TestScanIsParseQuery(t *testing.T) {
	for _, query := range []string{
		"", "value=1", "value", "value=", "=x", "&&", "value=1&value=2", "value=a+b%2Bc", "v%61lue=%e6%97%a5", "recursive=true&sorted",
		"value=%zz", "value=%", "value=%4", "%zz=1&value=2", "a;b&value=1", "value=%zz&a;b", "a;b&value=%zz", "value=a=b&ttl=5",
		"prevValue=%00&value=\xff\xfe", "value=%zz&value=%yy&dir=1", "Value=1&VALUE=2", " value=1", "value =1", "value=1 ",
	} {
		checkScan(t, query)
	}
}

// FuzzScan: a query is read as net/url reads it, faults and their texts
// included.
func FuzzScan(f *testing.F) {
	f.Add("value=a+b&ttl=%35&recursive")
	f.Add("value=%zz&a;b&dir=%4")
	f.Fuzz(func(t *testing.T, query string) { checkScan(t, query) })
}

func checkScan(t *testing.T, query string) {
	var p params
	p.reset(len(query))
	fault := p.scan([]byte(query))
	want, err := url.ParseQuery(query)
	if err != nil {
		require.Equal(t, err.Error(), fault, "%q", query)
	} else {
		require.Empty(t, fault, "%q", query)
	}
	requireSameParams(t, want, &p)
}

// FuzzForm: body and query together are read as http.Request.ParseForm does.
func FuzzForm(f *testing.F) {
	f.Add("PUT", formType, "value=1&value=2", "value=3")
	f.Add("POST", formType+"; charset=utf-8", "ttl=%zz", "dir=%yy")
	f.Add("PUT", "Application/X-WWW-Form-Urlencoded; =", "value=1", "")
	f.Add("DELETE", formType, "value=1", "prevValue=2")
	f.Add("PUT", "multipart/form-data; boundary=B", "--B", "value=2")
	f.Add("PUT", "", "value=1", "a;b")
	f.Add("PUT", ";;", "value=1", "a;b")
	f.Add("PUT", "\"", "", "value=1") // the type counts without a body, too
	f.Fuzz(func(t *testing.T, method, contentType, body, query string) {
		switch method {
		case "GET", "PUT", "POST", "DELETE":
		default:
			return
		}
		if strings.ContainsAny(contentType, "\r\n\x00") || strings.TrimSpace(contentType) != contentType {
			return // cannot stand in a header
		}
		std := &http.Request{Method: method, URL: &url.URL{RawQuery: query}, Header: http.Header{}, Body: http.NoBody}
		var h fasthttp.RequestHeader
		h.SetMethod(method)
		if contentType != "" {
			std.Header.Set("Content-Type", contentType)
			h.SetContentType(contentType)
		}
		if body != "" {
			std.Body = io.NopCloser(strings.NewReader(body))
		}
		err := std.ParseForm()
		var p params
		refused := readParams(&p, &h, []byte(body), []byte(query))
		if err != nil {
			require.NotNil(t, refused)
			require.Equal(t, err.Error(), refused.Cause)
		} else {
			require.Nil(t, refused)
		}
		requireSameParams(t, std.Form, &p)
	})
}

func TestNumbersAndBooleansAreStrconvs(t *testing.T) {
	for _, text := range []string{
		"", "0", "1", "t", "T", "true", "TRUE", "True", "tRUE", "f", "F", "false", "FALSE", "False", "yes", "on", "2", "10", "-1", "+1",
		" 1", "1 ", "1_0", "0x10", "007", "18446744073709551615", "18446744073709551616", "99999999999999999999", "184467440737095516150", "1.5", "1e3",
	} {
		checkLiteral(t, text)
	}
}

func FuzzLiteral(f *testing.F) {
	f.Add("18446744073709551615")
	f.Add("TRUE")
	f.Fuzz(func(t *testing.T, text string) { checkLiteral(t, text) })
}

func checkLiteral(t *testing.T, text string) {
	var p params
	p.reset(0)
	p.given[paramTTL], p.values[paramTTL] = true, []byte(text)
	number, ok := p.uint(paramTTL)
	wantNumber, err := strconv.ParseUint(text, 10, 64)
	require.Equal(t, err == nil, ok, "%q", text)
	if ok {
		require.Equal(t, wantNumber, number, "%q", text)
	}
	truth, ok := p.bool(paramTTL)
	wantTruth, err := strconv.ParseBool(text)
	require.Equal(t, err == nil, ok, "%q", text)
	require.Equal(t, wantTruth, truth, "%q", text)
}
