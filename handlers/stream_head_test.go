package handlers

import (
	"bufio"
	"bytes"
	"net/http"
	"net/textproto"
	"reflect"
	"testing"
)

func TestHeadOfAStreamIsWhatWasSet(t *testing.T) {
	want := textproto.MIMEHeader{"Content-Type": {"text/event-stream"}, "Vary": {"Origin", "Accept-Encoding"}, "X-Empty": {""}}
	set := http.Header{"X-Smuggled": {"a\r\nSet-Cookie: b=c", "a\nb", "a\rb"}}
	for name, values := range want {
		set[name] = values
	}
	var head bytes.Buffer
	writeHeader(&head, set)
	head.WriteString("\r\n")
	got, err := textproto.NewReader(bufio.NewReader(&head)).ReadMIMEHeader()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}
