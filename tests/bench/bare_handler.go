// A handler that does nothing but stamp requests: how closely a batch arrives, without an edge's own work in between.
//
//	go run bare_handler.go CERTIFICATE KEY BATCH
//
// It prints its port, answers every BATCH requests together, and prints for each such batch the microseconds between
// its first and its last arrival. A request has arrived when its body is read.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

func main() {
	batch, err := strconv.Atoi(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	began := time.Now()
	var lock sync.Mutex
	var first, last time.Duration
	count, complete := 0, make(chan struct{})

	stamp := func(response http.ResponseWriter, request *http.Request) {
		if request.Method != http.MethodPost {
			return
		}
		io.Copy(io.Discard, request.Body)
		arrived := time.Since(began)
		lock.Lock()
		if count == 0 || arrived < first {
			first = arrived
		}
		last = max(last, arrived)
		mine := complete
		count++
		if count == batch {
			fmt.Println((last - first).Microseconds())
			count, complete = 0, make(chan struct{})
			close(mine)
		}
		lock.Unlock()
		<-mine
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	server := &http.Server{Handler: http.HandlerFunc(stamp)}
	log.Fatal(server.ServeTLS(listener, os.Args[1], os.Args[2]))
}
