/* cli/hint.c - see hint.h. The words are those of the library's messages: tests show that they still are. */
#include "cli/hint.h"

#define ANY 0

/* The first that fits. Names of hosts and repositories, which messages have as well, have no spaces. */
static const struct {
    int code, http_status; /* ANY */
    const char *words;     /* in the message */
    const char *hint;
} hints[] = {
    {BERTH_E_UNAUTH, 407, " ", "--proxy http://NAME:PASSWORD@HOST:PORT"},
    {BERTH_E_NETWORK, ANY, " SOCKS5 server", "--proxy socks5h://NAME:PASSWORD@HOST:PORT"},
    {BERTH_E_NETWORK, ANY, "the proxy ", "another --proxy, or --proxy '' to go without one"},
    {BERTH_E_NETWORK, ANY, "resolve proxy", "another --proxy, or --proxy '' to go without one"},
    {BERTH_E_UNAUTH, ANY, "refuses the client's certificate", "another --client-cert"},
    {BERTH_E_NETWORK, ANY, "client's certificate refused", "another --client-cert"},
    {BERTH_E_UNAUTH, ANY, "client's certificate", "--client-cert FILE, with --client-key FILE"},
    {BERTH_E_NETWORK, ANY, "another host name",
     "a host name that is in it, with --resolve NAME:PORT:ADDRESS if need be"},
    {BERTH_E_NETWORK, ANY, "certificate has expired", NULL},
    {BERTH_E_NETWORK, ANY, "certificate is not yet valid", NULL},
    {BERTH_E_NETWORK, ANY, "certificate problem", "--ca-file FILE with the authority's certificate"},
    {BERTH_E_NETWORK, ANY, "certificate verification", "--ca-file FILE with the authority's certificate"},
    {BERTH_E_NETWORK, ANY, "speak plain HTTP?", "--plain-http, if the registry has no TLS"},
    {BERTH_E_NETWORK, ANY, "it speaks HTTPS", "--https"},
    {BERTH_E_NETWORK, ANY, "it speak HTTPS?", "--https"},
    {BERTH_E_NOT_FOUND, ANY, "it is an index, and ", "--platform OS/ARCH, for an image of it"},
    {BERTH_E_UNSUPPORTED, 400, "deletes manifests alone",
     "--purge, which takes every other tag of it as well"},
};

static const char *to_log_in(const struct cli_command *c)
{
    const char *login = "login";
    int unused;
    if (c->takes & CLI_ASKS)
        return NULL; /* who was asked for it knows */
    return cli_find(1, &login, &unused) ? "berth login, or --username NAME with --password-stdin"
                                        : "docker login, or --username NAME with --password-stdin";
}

const char *hint_for(const struct cli_command *c, const berth_error *err)
{
    for (size_t i = 0; i < COUNT(hints); i++)
        if (hints[i].code == err->code &&
            (!hints[i].http_status || hints[i].http_status == err->http_status) &&
            strstr(err->message, hints[i].words))
            return hints[i].hint;
    return err->code == BERTH_E_UNAUTH ? to_log_in(c) : NULL;
}
