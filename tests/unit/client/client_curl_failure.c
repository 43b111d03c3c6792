/* tests/unit/client/client_curl_failure.c */
#include "test.h"

#include <errno.h>

#include "client/client_curl.h"

#define SSL "OpenSSL/3.0.19: error:0A00045C:SSL routines::"

static void test_client_client_curl_failure__says_what_can_be_done(void **state)
{
    (void)state;
    static const struct {
        CURLcode result;
        const char *why;
        bool wanted, shown;
        long status, os_errno;
        int code;
        enum exchange_failure kind;
        const char *message;
    } rows[] = {
        {CURLE_RECV_ERROR, "OpenSSL SSL_read: " SSL "tlsv13 alert certificate required, errno 0", true, false,
         0, 0, BERTH_E_UNAUTH, FAILURE_LASTING, "the registry wants a client's certificate"},
        {CURLE_SEND_ERROR, "SSL_write() error: error:0A00007F:SSL routines::bad write retry", true, false, 0,
         0, BERTH_E_UNAUTH, FAILURE_LASTING, "the registry wants a client's certificate"},
        {CURLE_SSL_CONNECT_ERROR, SSL "sslv3 alert handshake failure", true, false, 0, 0, BERTH_E_UNAUTH,
         FAILURE_LASTING, "the registry wants a client's certificate"},
        {CURLE_RECV_ERROR, "OpenSSL SSL_read: " SSL "tlsv1 alert unknown ca, errno 0", true, true, 0, 0,
         BERTH_E_UNAUTH, FAILURE_LASTING,
         "the registry refuses the client's certificate: TLS: tlsv1 alert unknown ca"},
        {CURLE_SEND_ERROR, "getpeername() failed with errno 107: x", true, true, 0, 0, BERTH_E_NETWORK,
         FAILURE_BROKEN, "the connection broke (is the client's certificate refused?)"},
        {CURLE_SEND_ERROR, "getpeername() failed with errno 107: x", false, false, 0, 0, BERTH_E_NETWORK,
         FAILURE_BROKEN, "the connection broke"},
        {CURLE_RECV_ERROR, "Recv failure: Connection reset by peer", false, true, 0, 0, BERTH_E_NETWORK,
         FAILURE_BROKEN, "Recv failure: Connection reset by peer"},
        {CURLE_SSL_CONNECT_ERROR, SSL "wrong version number", false, false, 0, 0, BERTH_E_NETWORK,
         FAILURE_UNREACHED, "TLS: wrong version number (does it speak plain HTTP?)"},
        {CURLE_SSL_CONNECT_ERROR, SSL "tlsv1 alert protocol version", false, false, 0, 0, BERTH_E_NETWORK,
         FAILURE_LASTING, "TLS: tlsv1 alert protocol version"},
        {CURLE_PEER_FAILED_VERIFICATION,
         "SSL: no alternative certificate subject name matches target host name 'a'", false, false, 0, 0,
         BERTH_E_NETWORK, FAILURE_LASTING,
         "the certificate is made out to another host name than 'a.example'"},
        {CURLE_PEER_FAILED_VERIFICATION, "SSL certificate problem: self-signed certificate", false, false, 0,
         0, BERTH_E_NETWORK, FAILURE_LASTING, "SSL certificate problem: self-signed certificate"},
        {CURLE_RECV_ERROR, "CONNECT tunnel failed, response 407", false, false, 407, 0, BERTH_E_UNAUTH,
         FAILURE_LASTING, "the proxy wants other credentials"},
        {CURLE_RECV_ERROR, "CONNECT tunnel failed, response 403", false, false, 403, 0, BERTH_E_NETWORK,
         FAILURE_LASTING, "the proxy answered 403 and lets nothing through"},
        {CURLE_RECV_ERROR, "CONNECT tunnel failed, response 503", false, false, 503, 0, BERTH_E_NETWORK,
         FAILURE_UNREACHED, "the proxy answered 503 and lets nothing through"},
        {CURLE_COULDNT_CONNECT,
         "Failed to connect to a.example port 5000 after 0 ms: Couldn't connect to server", false, false, 0,
         ECONNREFUSED, BERTH_E_NETWORK, FAILURE_UNREACHED,
         "Failed to connect to a.example port 5000 after 0 ms: Couldn't connect to server"},
        {CURLE_COULDNT_CONNECT, "Failed to connect to b.example port 3128 after 0 ms: x", false, false, 0,
         ECONNREFUSED, BERTH_E_NETWORK, FAILURE_UNREACHED,
         "the proxy can't be reached: Failed to connect to b.example port 3128 after 0 ms: x"},
        {CURLE_COULDNT_CONNECT, "Failed to connect to a.example port 5000 via b.example after 0 ms: x", false,
         false, 0, 0, BERTH_E_NETWORK, FAILURE_UNREACHED,
         "the proxy can't be reached: Failed to connect to a.example port 5000 via b.example after 0 ms: x"},
        {CURLE_OK, "", false, false, 200, 0, BERTH_OK, FAILURE_NONE, ""},
    };
    const struct route route = {0};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct exchange x = {.url = "https://a.example:5000/v2/", .home = true};
        const struct curl_failure f = {.x = &x,
                                       .route = &route,
                                       .why = rows[i].why,
                                       .proxy_status = rows[i].status,
                                       .os_errno = rows[i].os_errno,
                                       .certificate_wanted = rows[i].wanted,
                                       .certificate_shown = rows[i].shown};
        enum exchange_failure kind = FAILURE_BROKEN;
        berth_error err = BERTH_ERROR_INIT;
        CHECK_ROW(i, curl_explain(rows[i].result, &f, &kind, &err) == rows[i].code);
        CHECK_ROW(i, kind == rows[i].kind);
        CHECK_STR_ROW(i, str_from(err.message), str_from(rows[i].message));
    }
}

static void test_client_client_curl_failure__names_the_socket(void **state)
{
    (void)state;
    const struct route route = {.unix_socket = "/run/none"};
    struct exchange x = {.url = "http://a.example/v2/", .home = true};
    const struct curl_failure f = {
        .x = &x, .route = &route, .why = "Failed to connect to a.example port 80", .os_errno = ENOENT};
    enum exchange_failure kind;
    CHECK_CODE(curl_explain(CURLE_COULDNT_CONNECT, &f, &kind, &test_err), BERTH_E_NETWORK);
    CHECK_STR(str_from(test_err.message),
              STR("connecting to the socket '/run/none': No such file or directory"));
}

RUN_TESTS(TEST(test_client_client_curl_failure__says_what_can_be_done),
          TEST(test_client_client_curl_failure__names_the_socket))
