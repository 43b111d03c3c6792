/* tests/unit/registry/fixture.h - the API over rules and stores of its own, asked without a server: a
 * stand-in for the calls of http/server.h (fixture.c) keeps what the handlers read and wrote. What a real
 * server makes of it is the business of the http room's tests and of the conformance suite. */
#ifndef REGISTRY_FIXTURE_H
#define REGISTRY_FIXTURE_H

#include "test.h"

#include "metadata/meta.h"
#include "registry/private.h"
#include "storage/store.h"

#define EMPTY_DIGEST "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

extern struct site {
    meta *m;
    blob_store *store;
    repo *r;
    registry *reg;
    struct repo_policy rules; /* as they stand; site_apply() after a change */
    struct registry_policy api;
    int log; /* a file that the log is written to */
} site;

int site_open(void **state); /* set-up and tear-down of one test */
int site_close(void **state);
void site_apply(void);
const char *site_log(void); /* the lines since the last call, lent until the next */

/* One request, and what the handlers answered. */
struct exchange {
    struct http_request req;
    struct item {
        char *name, *value;
    } sent[16], answered[80];
    size_t n_sent, n_answered;
    berth_str body; /* the request's, lent by the test */
    int status;     /* of the answer; 0: none */
    berth_buf out;  /* its body */
    uint64_t length;
    bool handed_over;
    http_handler *again;
    struct http_plan plan;
    size_t piece; /* bytes to a piece of a streamed body */
    bool leaves;  /* the client leaves when its body is out, before the end */
};

/* @head: lines "Name: value\n". Content-Length is the body's length where @head names none; "Content-Length:
 * -": none was sent. Free it by exchange_free(). */
struct exchange *exchange_new(const char *method, const char *target, const char *head, berth_str body);
void exchange_run(struct exchange *x); /* what the server does with a request, from route() to finished() */
void exchange_free(struct exchange *x);

/* A whole exchange; its status. The answer can be asked for until the next one. */
int ask(const char *method, const char *target, const char *head, berth_str body);
int get(const char *target);
struct exchange *asked(void);
berth_str header_of(const struct exchange *x, const char *name); /* .p NULL: none */
berth_str answered(const char *name);
berth_str answer_body(void);
const char *answer_text(void); /* the same, with a NUL */

#define SITE_TEST(fn)              cmocka_unit_test_setup_teardown(fn, site_open, site_close)
#define CHECK_ANSWERED(name, want) CHECK_STR(answered(name), STR(want))
#define CHECK_BODY(want)           CHECK_STR(answer_body(), STR(want))

/* Content, pushed through the API. */
berth_digest push_blob(const char *name, berth_str body);
berth_digest push_manifest(const char *name, const char *reference, const char *type, berth_str body);
berth_digest push_image(const char *name, const char *tag, const char *more); /* of the empty blob */
char *path_of(const char *fmt, ...) __attribute__((format(printf, 1, 2)));    /* lent until site_close() */

#endif
