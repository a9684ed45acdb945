package main

import (
	"bufio"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
)

const redis = "redis:6379"

func increment(key string) (string, error) {
	conn, err := net.Dial("tcp", redis)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	fmt.Fprintf(conn, "INCR %s\r\n", key)
	reply, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return "", err
	}
	return strings.Trim(reply, ":\r\n"), nil
}

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		count, err := increment("visits")
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		fmt.Fprintf(w, "visit number %s\n", count)
	})
	log.Println("listening on :8080")
	log.Fatal(http.ListenAndServe(":8080", nil))
}
