/* tests/unit/http/fixture.h - a server with a small application of its own on a free port, and a client that
 * says exactly the bytes it is told to. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "test.h"

#include <stdatomic.h>

#include "http/server.h"
#include "util/buf.h"

#define SITE_FILE_SIZE (3 * MIB + 123) /* of the file that /file and /mixed serve */

/* Byte @i of every long body in these tests. */
static inline char site_byte(uint64_t i)
{
    return (char)(i * 7 + (i >> 11));
}

struct site {
    http_server *server;
    char *address; /* as http_server_listen() gave it */
    int port;
    int file;
    struct {
        atomic_int at_gate, begun, pieces, ended, done, finished, aborted, overlaps, status;
        atomic_uint_least64_t body, sent;
    } seen;
    atomic_bool gate; /* closed while true: /gate and /slow wait */
};

/* Starts it. @opts NULL: two loops, four workers, defaults. @address NULL: 127.0.0.1:0. */
struct site *site_new(const struct http_options *opts, const char *address, const struct http_tls *tls);
void site_free(struct site *s); /* stops and joins */

/* --- the client; each call gives up after 20 seconds and fails the test --- */
int client_connect(const struct site *s);
void client_send(int fd, berth_str bytes);
void client_say(int fd, const char *text);
void client_send_slowly(int fd, berth_str bytes);           /* byte by byte */
void client_send_body(int fd, uint64_t offset, uint64_t n); /* site_byte() */
bool client_is_closed(int fd);                              /* waits for the end; drops what comes before */

struct reply {
    int status;
    berth_buf head; /* with the empty line */
    berth_buf body;
};
/* Reads one answer, no byte more. @head_only: there is no body, whatever Content-Length says. */
bool client_read(int fd, bool head_only, struct reply *r);
void reply_done(struct reply *r);
bool reply_has(const struct reply *r, const char *line); /* "Connection: close" */

/* One request, one answer; the status, 0 when the connection was closed instead. */
int client_ask(int fd, const char *request);
int site_ask(const struct site *s, const char *request);
/* Asks until the status is @status: the server has yet to see the end of another connection. */
void client_ask_until(int fd, const char *request, int status);
void site_ask_until(const struct site *s, const char *request, int status);

/* Waits until the atomic is @n. */
void wait_for(const atomic_int *counter, int n);
void sleep_ms(unsigned ms);

#endif
