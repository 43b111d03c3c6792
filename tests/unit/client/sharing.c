/* tests/unit/client/sharing.c - calls that meet the same challenge, with a registry whose answers are in
 * order: first the challenges, for the calls connect before anyone asks for a token. */
#include "fixture.h"

#include <poll.h>

#define CALLS     3
#define CHALLENGE UNAUTHORIZED BEARER "scope=\"registry:catalog:*\"\r\n\r\n"
#define EITHER                                                                                               \
    UNAUTHORIZED BEARER "scope=\"registry:catalog:*\"\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\r\n"
#define TOKEN   JSON(13) "{\"token\":\"t\"}"
#define REFUSED "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"
#define LATER   "HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n"

struct calls {
    berth_call *of[CALLS];
    int codes[CALLS];
    berth_error errors[CALLS];
};

static void begin(struct script *s, struct calls *c, const char *username)
{
    berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
    o.first_wait_ms = 1;
    o.username = username;
    o.password = "p";
    script_begin(s, &o);
    for (int i = 0; i < CALLS; i++)
        CHECK_OK(berth_ping_start(s->client, &c->of[i], &test_err));
}

/* One in this state, once all have met their challenge. */
static berth_call **find(const struct script *s, struct calls *c, enum call_state state)
{
    int waiting;
    berth_call **found = NULL;
    do {
        struct pollfd p = {.fd = berth_client_fd(s->client), .events = POLLIN};
        CHECK(poll(&p, 1, 10000) == 1);
        berth_client_process(s->client);
        waiting = 0;
        for (int i = 0; i < CALLS; i++) {
            waiting += c->of[i]->state == CALL_SHARING;
            found = c->of[i]->state == state ? &c->of[i] : found;
        }
    } while (waiting < CALLS - 1);
    CHECK(found);
    return found;
}

static void end(struct script *s, struct calls *c)
{
    for (int i = 0; i < CALLS; i++) {
        c->codes[i] = c->of[i] ? berth_call_wait(c->of[i], &c->errors[i]) : BERTH_E_CANCELLED;
        berth_call_free(c->of[i]);
    }
    CHECK(!s->client->first_asking && !s->client->last_asking);
    script_end(s);
}

static void test_client_sharing__one_asks_for_all(void **state)
{
    (void)state;
    static struct script s = {
        .answers = {CHALLENGE, CHALLENGE, CHALLENGE, TOKEN, OK_EMPTY, OK_EMPTY, OK_EMPTY}};
    struct calls c = {0};
    begin(&s, &c, NULL);
    end(&s, &c);
    CHECK(was(&s, 3, "GET /token?service=s&scope=registry:catalog:%2A ", NULL));
    for (int i = 0; i < CALLS; i++) {
        CHECK_ROW(i, c.codes[i] == BERTH_OK);
        CHECK_ROW(i, asked(&s, 4 + i, "\r\nAuthorization: Bearer t\r\n"));
    }
}

static void test_client_sharing__a_failure_is_everybodys(void **state)
{
    (void)state;
    static struct script s = {.answers = {CHALLENGE, CHALLENGE, CHALLENGE, REFUSED}};
    struct calls c = {0};
    begin(&s, &c, NULL);
    end(&s, &c);
    for (int i = 0; i < CALLS; i++) {
        CHECK_ROW(i, c.codes[i] == BERTH_E_DENIED && c.errors[i].http_status == 403);
        CHECK_STR_ROW(i, str_from(c.errors[i].message), str_from(c.errors[0].message));
    }
}

static void test_client_sharing__one_tries_again_for_all(void **state)
{
    (void)state;
    static struct script s = {
        .retries = true,
        .answers = {CHALLENGE, CHALLENGE, CHALLENGE, LATER, LATER, TOKEN, OK_EMPTY, OK_EMPTY, OK_EMPTY}};
    struct calls c = {0};
    begin(&s, &c, NULL);
    end(&s, &c);
    for (int i = 0; i < CALLS; i++)
        CHECK_ROW(i, c.codes[i] == BERTH_OK);
}

static void test_client_sharing__the_next_asks_when_one_is_cancelled(void **state)
{
    (void)state;
    static struct script s = {.answers = {CHALLENGE, CHALLENGE, CHALLENGE, TOKEN, TOKEN, OK_EMPTY, OK_EMPTY},
                              .holds = 3};
    struct calls c = {0};
    begin(&s, &c, NULL);
    berth_call_free(steal(find(&s, &c, CALL_TOKEN)));
    atomic_store(&s.released, true);
    end(&s, &c);
    CHECK(c.codes[0] + c.codes[1] + c.codes[2] == BERTH_E_CANCELLED); /* and two of them 0 */
}

static void test_client_sharing__one_that_waits_may_be_cancelled(void **state)
{
    (void)state;
    static struct script s = {.answers = {CHALLENGE, CHALLENGE, CHALLENGE, TOKEN, OK_EMPTY, OK_EMPTY},
                              .holds = 3};
    struct calls c = {0};
    begin(&s, &c, NULL);
    berth_call_free(steal(find(&s, &c, CALL_SHARING)));
    atomic_store(&s.released, true);
    end(&s, &c);
    CHECK(c.codes[0] + c.codes[1] + c.codes[2] == BERTH_E_CANCELLED);
}

static void test_client_sharing__all_send_a_password_where_there_is_no_token(void **state)
{
    (void)state;
    static struct script s = {.answers = {EITHER, EITHER, EITHER, NOT_THERE, OK_EMPTY, OK_EMPTY, OK_EMPTY}};
    struct calls c = {0};
    begin(&s, &c, "u");
    end(&s, &c);
    for (int i = 0; i < CALLS; i++)
        CHECK_ROW(i, c.codes[i] == BERTH_OK && asked(&s, 4 + i, "\r\nAuthorization: Basic "));
}

static void test_client_sharing__other_rights_are_asked_for_apart(void **state)
{
    (void)state;
    static struct script s = {.answers = {CHALLENGE, CHALLENGE, TOKEN, TOKEN, NOT_THERE, NOT_THERE}};
    berth_call *calls[2] = {NULL};
    script_begin(&s, NULL);
    CHECK_OK(berth_manifest_head_start(s.client, "a", "v1", BERTH_ACCEPT_ANY, &calls[0], &test_err));
    CHECK_OK(berth_manifest_head_start(s.client, "b", "v1", BERTH_ACCEPT_ANY, &calls[1], &test_err));
    for (int i = 0; i < 2; i++) {
        CHECK_CODE(berth_call_wait(calls[i], NULL), BERTH_E_NOT_FOUND);
        berth_call_free(calls[i]);
    }
    script_end(&s);
    bool a = strstr(s.requests[2], "repository:a:pull");
    CHECK(strstr(s.requests[2], a ? "repository:a:pull" : "repository:b:pull"));
    CHECK(strstr(s.requests[3], a ? "repository:b:pull" : "repository:a:pull"));
}

RUN_TESTS(TEST(test_client_sharing__one_asks_for_all), TEST(test_client_sharing__a_failure_is_everybodys),
          TEST(test_client_sharing__one_tries_again_for_all),
          TEST(test_client_sharing__the_next_asks_when_one_is_cancelled),
          TEST(test_client_sharing__one_that_waits_may_be_cancelled),
          TEST(test_client_sharing__all_send_a_password_where_there_is_no_token),
          TEST(test_client_sharing__other_rights_are_asked_for_apart))
