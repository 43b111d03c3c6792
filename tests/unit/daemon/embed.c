/* tests/unit/daemon/embed.c - the registry inside another program: berth/server.h. */
#include "fixture.h"

#include <arpa/inet.h>
#include <berth/server.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* The status of GET /v2/ at @url ("http://127.0.0.1:43211"); 0: nobody listens. */
static int status_of(const char *url)
{
    unsigned port = 0;
    int status = 0;
    CHECK(sscanf(url, "http://127.0.0.1:%u", &port) == 1 && port);
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CLEANUP(closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    static const char request[] = "GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    char answer[1024] = "";
    if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
        return 0;
    CHECK(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(request) - 1);
    CHECK(recv(fd, answer, 64, MSG_WAITALL) > 0 && sscanf(answer, "HTTP/1.1 %d", &status) == 1);
    return status;
}

static void test_daemon_embed__serves_from_memory_when_nothing_is_asked(void **state)
{
    (void)state;
    berth_server *s = NULL;
    CHECK_OK(berth_server_start(NULL, &s, &test_err));
    char url[64];
    snprintf(url, sizeof(url), "%s", berth_server_url(s));
    assert_int_equal(status_of(url), 200);
    berth_server_stop(s);
    assert_int_equal(status_of(url), 0);
    berth_server_stop(NULL);
}

static void test_daemon_embed__owns_the_folder_it_is_given(void **state)
{
    (void)state;
    berth_server_options o = BERTH_SERVER_OPTIONS_INIT;
    berth_server *one = NULL, *two = NULL;
    o.data = folder;
    CHECK_OK(berth_server_start(&o, &one, &test_err));
    CHECK_CODE(berth_server_start(&o, &two, &test_err), BERTH_E_BUSY);
    CHECK(!two && is_there("berth.db"));
    assert_int_equal(status_of(berth_server_url(one)), 200);
    berth_server_stop(one);
    CHECK_OK(berth_server_start(&o, &two, &test_err));
    berth_server_stop(two);
}

static void test_daemon_embed__takes_a_file_and_an_address(void **state)
{
    (void)state;
    berth_server_options o = BERTH_SERVER_OPTIONS_INIT;
    berth_server *s = NULL;
    write_file("berth.yaml", "http: {prefix: /oci}\n");
    o.config = path_of("berth.yaml");
    o.listen = berth_arena_printf(&scratch, "unix:%s/socket", folder);
    CHECK_OK(berth_server_start(&o, &s, &test_err));
    assert_string_equal(berth_server_url(s), o.listen);
    CHECK(is_there("socket"));
    berth_server_stop(s);
    CHECK(!is_there("socket"));
    o.listen = NULL;
    CHECK_OK(berth_server_start(&o, &s, &test_err));
    assert_int_equal(status_of(berth_server_url(s)), 404); /* below its prefix alone */
    berth_server_stop(s);
}

static void test_daemon_embed__says_what_is_wrong_and_leaves_the_handle(void **state)
{
    (void)state;
    berth_server_options o = BERTH_SERVER_OPTIONS_INIT;
    berth_server *s = (berth_server *)(void *)&o, *was = s;
    o.listen = "nowhere";
    CHECK(berth_server_start(&o, &s, &test_err) != BERTH_OK && test_err.message[0]);
    o.listen = NULL;
    o.config = "/nowhere/berth.yaml";
    CHECK(berth_server_start(&o, &s, &test_err) != BERTH_OK && strstr(test_err.message, o.config));
    CHECK(s == was);
}

/* A caller that was compiled before a member came to the options does not have it. */
static void test_daemon_embed__reads_no_further_than_an_older_caller_knows(void **state)
{
    (void)state;
    berth_server_options o = {.size = offsetof(berth_server_options, listen),
                              .listen = (const char *)(uintptr_t)1, /* read, it would crash */
                              .config = (const char *)(uintptr_t)1};
    berth_server *s = NULL;
    CHECK_OK(berth_server_start(&o, &s, &test_err));
    assert_int_equal(status_of(berth_server_url(s)), 200);
    berth_server_stop(s);
}

RUN_TESTS(FOLDER_TEST(test_daemon_embed__serves_from_memory_when_nothing_is_asked),
          FOLDER_TEST(test_daemon_embed__owns_the_folder_it_is_given),
          FOLDER_TEST(test_daemon_embed__takes_a_file_and_an_address),
          FOLDER_TEST(test_daemon_embed__says_what_is_wrong_and_leaves_the_handle),
          FOLDER_TEST(test_daemon_embed__reads_no_further_than_an_older_caller_knows))
