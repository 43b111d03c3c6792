/* http/response.c - the answer a handler builds: status, header lines and the segments of its body. It lives
 * in the request's arena and leaves through send.c. */
#include "http/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "util/fault.h"

void http_answer_reset(struct http_answer *a)
{
    for (struct http_segment *s = a->first; s; s = s->next) {
        mem_free(s->given);
        closep(&s->fd);
    }
    *a = (struct http_answer){.set = false};
}

void http_respond(http_request *pub, int status)
{
    struct http_answer *a = &http_req_of(pub)->answer;
    bool close_after = a->close_after;
    http_answer_reset(a);
    a->set = true;
    a->status = status;
    a->close_after = close_after;
    a->items_end = &a->items;
}

bool http_responded(const http_request *pub)
{
    return http_req_of_const(pub)->answer.set;
}

int http_answer_status(const http_request *pub)
{
    const struct http_answer *a = &http_req_of_const(pub)->answer;
    return a->set ? a->status : 0;
}

void http_close_after(http_request *pub)
{
    http_req_of(pub)->answer.close_after = true;
}

static void set_item(http_request *pub, struct http_item *item, berth_str name)
{
    struct http_answer *a = &http_req_of(pub)->answer;
    item->name = berth_arena_str(&pub->arena, name);
    if (!item->value.p || !item->name.p || !http_is_token(item->name) || !http_is_field_value(item->value)) {
        a->failed = true;
        return;
    }
    *a->items_end = item;
    a->items_end = &item->next;
}

__attribute__((format(printf, 3, 0))) static void add_item(http_request *pub, berth_str name, const char *fmt,
                                                           va_list ap)
{
    struct http_answer *a = &http_req_of(pub)->answer;
    struct http_item *item = berth_arena_alloc(&pub->arena, sizeof(*item));
    if (!a->set || !item) {
        a->failed = true;
        return;
    }
    if (strcmp(fmt, "%s") == 0) {
        item->value = berth_arena_str(&pub->arena, str_from(va_arg(ap, const char *)));
        set_item(pub, item, name);
        return;
    }
    char text[256]; /* most values fit: printed once */
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    if (n >= 0 && (size_t)n < sizeof(text)) {
        item->value = berth_arena_str(&pub->arena, (berth_str){text, (size_t)n});
    } else if (n >= 0) {
        char *p = berth_arena_vprintf(&pub->arena, fmt, again);
        item->value = (berth_str){p, p ? (size_t)n : 0};
    }
    va_end(again);
    set_item(pub, item, name);
}

static void remove_items(struct http_answer *a, berth_str name)
{
    struct http_item **link = &a->items;
    while (*link) {
        if (str_eq_nocase((*link)->name, name))
            *link = (*link)->next;
        else
            link = &(*link)->next;
    }
    a->items_end = link;
}

void http_set_header(http_request *pub, const char *name, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (http_req_of(pub)->answer.set)
        remove_items(&http_req_of(pub)->answer, str_from(name));
    add_item(pub, str_from(name), fmt, ap);
    va_end(ap);
}

void http_add_header(http_request *pub, const char *name, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add_item(pub, str_from(name), fmt, ap);
    va_end(ap);
}

static struct http_segment *add_segment(http_request *pub, uint64_t n)
{
    struct http_answer *a = &http_req_of(pub)->answer;
    struct http_segment *s = berth_arena_alloc(&pub->arena, sizeof(*s));
    if (!a->set || !s) {
        a->failed = true;
        return NULL;
    }
    s->n = n;
    s->fd = -1;
    if (a->last)
        a->last->next = s;
    else
        a->first = s;
    a->last = s;
    return s;
}

void http_body_lend(http_request *pub, berth_str bytes)
{
    struct http_segment *s = add_segment(pub, bytes.n);
    if (s)
        s->p = bytes.p;
}

void http_body_copy(http_request *pub, berth_str bytes)
{
    berth_str copy = berth_arena_str(&pub->arena, bytes);
    if (copy.p)
        http_body_lend(pub, copy);
    else
        http_req_of(pub)->answer.failed = true;
}

void http_body_give(http_request *pub, char *p, size_t n)
{
    struct http_segment *s = add_segment(pub, n);
    if (!s) {
        mem_free(p);
        return;
    }
    s->p = s->given = p;
}

int http_body_file(http_request *pub, int fd, uint64_t offset, uint64_t length, berth_error *err)
{
    CLEANUP(closep) int own = -1;
    if (pub->method != HTTP_HEAD && length) {
        own = fault_hit() ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (own < 0)
            return berth_error_set(err, BERTH_E_IO, "duplicating a descriptor: %s", strerror(errno));
    }
    struct http_segment *s = add_segment(pub, length);
    if (!s)
        return berth_error_set(err, BERTH_E_NOMEM, "no memory for an answer");
    s->offset = offset;
    s->fd = steal_fd(&own);
    return BERTH_OK;
}

void http_body_length(http_request *pub, uint64_t length)
{
    struct http_answer *a = &http_req_of(pub)->answer;
    a->length_only = true;
    a->length = length;
}

static const char *status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } rows[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (rows[i].status == status)
            return rows[i].text;
    return "Unnamed";
}

/* The server writes these itself; framing is never a handler's. */
static bool reserved(berth_str name)
{
    return str_eq_nocase(name, STR("Content-Length")) || str_eq_nocase(name, STR("Connection")) ||
           str_eq_nocase(name, STR("Transfer-Encoding")) || str_eq_nocase(name, STR("Date"));
}

static bool has_item(const struct http_item *items, berth_str name)
{
    for (; items; items = items->next)
        if (str_eq_nocase(items->name, name))
            return true;
    return false;
}

static char *put(char *at, berth_str s)
{
    memcpy(at, s.p, s.n);
    return at + s.n;
}

static char *put_line(char *at, berth_str name, berth_str value)
{
    at = put(at, name);
    at = put(at, STR(": "));
    at = put(at, value);
    return put(at, STR("\r\n"));
}

static char *put_number(char *at, uint64_t v)
{
    char digits[20];
    size_t n = sizeof(digits);
    do
        digits[--n] = (char)('0' + v % 10);
    while (v /= 10);
    return put(at, (berth_str){digits + n, sizeof(digits) - n});
}

bool http_answer_finish(struct http_req *req, bool keep)
{
    struct http_answer *a = &req->answer;
    const struct http_server *server = req->server;
    if (a->failed || a->status < 200 || a->status > 599)
        return false;

    uint64_t length = a->length_only ? a->length : 0;
    for (const struct http_segment *s = a->first; s; s = s->next)
        length += s->n;
    bool bare = a->status == 204 || a->status == 304;
    bool say_length = a->status != 204 && (a->status != 304 || a->first || a->length_only);
    a->head_dropped = bare || a->length_only || req->pub.method == HTTP_HEAD;
    /* A length that no bytes follow would make the client wait. */
    if (a->length_only && !bare && req->pub.method != HTTP_HEAD)
        return false;

    size_t room = 256 + (server->server_name ? strlen(server->server_name) : 0);
    for (const struct http_item *i = a->items; i; i = i->next)
        room += i->name.n + i->value.n + 4;
    for (const struct http_item *i = server->headers; i; i = i->next)
        room += i->name.n + i->value.n + 4;
    char *head = berth_arena_alloc(&req->pub.arena, room), *at = head;
    if (!head)
        return false;

    at = put(at, STR("HTTP/1.1 "));
    at = put_number(at, (uint64_t)a->status);
    *at++ = ' ';
    at = put(at, str_from(status_text(a->status)));
    at = put(at, STR("\r\n"));
    if (server->server_name)
        at = put_line(at, STR("Server"), str_from(server->server_name));
    at = put_line(at, STR("Date"), str_from(req->conn->loop->date));
    for (const struct http_item *i = a->items; i; i = i->next)
        if (!reserved(i->name))
            at = put_line(at, i->name, i->value);
    for (const struct http_item *i = server->headers; i; i = i->next)
        if (!has_item(a->items, i->name))
            at = put_line(at, i->name, i->value);
    at = put_line(at, STR("X-Request-Id"), (berth_str){req->pub.id, 32});
    if (say_length) {
        at = put(at, STR("Content-Length: "));
        at = put_number(at, length);
        at = put(at, STR("\r\n"));
    }
    if (!keep)
        at = put(at, STR("Connection: close\r\n"));
    else if (req->block.minor == 0)
        at = put(at, STR("Connection: keep-alive\r\n"));
    at = put(at, STR("\r\n"));

    a->head = (struct http_segment){
        .p = head, .n = (uint64_t)(at - head), .fd = -1, .next = a->head_dropped ? NULL : a->first};
    a->at = &a->head;
    a->at_offset = 0;
    return true;
}
