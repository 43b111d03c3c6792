/* tests/unit/cli/hint.c */
#include "fixture.h"

#include "cli/commands.h"
#include "cli/hint.h"

static const char *hint(const struct cli_command *c, int code, int status, const char *message)
{
    berth_error err = BERTH_ERROR_INIT;
    berth_error_set(&err, code, "%s", message);
    err.http_status = status;
    const char *text = hint_for(c, &err);
    return text ? text : "";
}

static void test_cli_hint__names_the_option_that_helps(void **state)
{
    (void)state;
    static const struct {
        int code, status;
        const char *message, *words; /* "": no hint */
    } rows[] = {
        {BERTH_E_UNAUTH, 407, "a.example: the proxy answered 407", "--proxy http://NAME:"},
        {BERTH_E_UNAUTH, 401, "a.example/a: the registry answered 401", "berth login"},
        {BERTH_E_UNAUTH, 0, "a.example: the registry wants a client's certificate", "--client-cert FILE"},
        {BERTH_E_UNAUTH, 0, "a.example: the registry refuses the client's certificate: x",
         "another --client-cert"},
        {BERTH_E_NETWORK, 0, "a.example: the certificate is made out to another host name than 'a.example'",
         "--resolve"},
        {BERTH_E_NETWORK, 0, "a.example: SSL certificate problem: self-signed certificate", "--ca-file"},
        {BERTH_E_NETWORK, 0, "a.example: SSL certificate problem: certificate has expired", ""},
        {BERTH_E_NETWORK, 0, "a.example: TLS: wrong version number (does it speak plain HTTP?)",
         "--plain-http"},
        {BERTH_E_NETWORK, 400, "localhost: the registry answered 400 (it speaks HTTPS)", "--https"},
        {BERTH_E_NETWORK, 0, "localhost: the answer is not HTTP/1 (does it speak HTTPS?)", "--https"},
        {BERTH_E_NETWORK, 0, "a.example: the proxy can't be reached: connection refused", "--proxy ''"},
        {BERTH_E_NETWORK, 0, "proxy.example/certificate/SSL: connecting to it: Connection refused", ""},
        {BERTH_E_NOT_FOUND, 404, "a.example/a: the certificate problem of somebody (MANIFEST_UNKNOWN)", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *have = hint(&cmd_ping, rows[i].code, rows[i].status, rows[i].message);
        CHECK_ROW(i, *rows[i].words ? strstr(have, rows[i].words) != NULL : !*have);
    }
    CHECK(!*hint(&cmd_login, BERTH_E_UNAUTH, 401, "the registry answered 401"));
}

RUN_TESTS(TEST(test_cli_hint__names_the_option_that_helps))
