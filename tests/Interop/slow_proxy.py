#!/usr/bin/python3 -B
"""Passes connections on to a server on loopback, so slowly that there is time to interrupt what is done over them.

    slow_proxy.py PORT BYTES_PER_SECOND

Prints its own port, and ends when standard input does.
"""
import socket
import sys
import threading
import time

PIECE = 16384


def copy(source, target, pause):
    try:
        while data := source.recv(PIECE):
            target.sendall(data)
            time.sleep(pause * len(data) / PIECE)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(listener, port, pause):
    while True:
        client, _ = listener.accept()
        server = socket.create_connection(("127.0.0.1", port))
        for pair in ((client, server), (server, client)):
            threading.Thread(target=copy, args=(*pair, pause), daemon=True).start()


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    pause = PIECE / float(sys.argv[2])
    threading.Thread(target=serve, args=(listener, int(sys.argv[1]), pause), daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
