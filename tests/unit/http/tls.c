/* tests/unit/http/tls.c - the server behind TLS: round trips, reload, client certificates, who speaks
 * plainly. */
#include "fixture.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

static char dir[] = "/tmp/berth-tls-XXXXXX";
static char certificate[64], key[64], ca[64], nothing[64];

/* A key and a certificate for @name, signed by itself, in the files the server is told of. */
static void make_certificate(const char *name, EVP_PKEY **ret_key, X509 **ret_cert)
{
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    CHECK(pkey && x);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_version(x, 2);
    X509_set_pubkey(x, pkey);
    X509_NAME *subject = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(x, subject);
    CHECK(X509_sign(x, pkey, EVP_sha256()) > 0);
    *ret_key = pkey;
    *ret_cert = x;
}

static void write_pem(const char *path, EVP_PKEY *pkey, X509 *x)
{
    FILE *f = fopen(path, "w");
    CHECK(f);
    if (pkey)
        CHECK(PEM_write_PrivateKey(f, pkey, NULL, NULL, 0, NULL, NULL) == 1);
    if (x)
        CHECK(PEM_write_X509(f, x) == 1);
    fclose(f);
}

static void install(const char *name)
{
    EVP_PKEY *pkey;
    X509 *x;
    make_certificate(name, &pkey, &x);
    write_pem(certificate, NULL, x);
    write_pem(key, pkey, NULL);
    EVP_PKEY_free(pkey);
    X509_free(x);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(certificate, sizeof(certificate), "%s/cert.pem", dir);
    snprintf(key, sizeof(key), "%s/key.pem", dir);
    snprintf(ca, sizeof(ca), "%s/ca.pem", dir);
    snprintf(nothing, sizeof(nothing), "%s/nothing.pem", dir);
    install("first.example");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(certificate);
    unlink(key);
    unlink(ca);
    return rmdir(dir);
}

struct session {
    int fd;
    SSL_CTX *ctx;
    SSL *ssl;
};

/* Whether the handshake succeeded. */
static bool session_open(const struct site *s, struct session *t, int max_version, EVP_PKEY *pkey, X509 *x)
{
    static const unsigned char protocols[] = "\x02h2\x08http/1.1";
    t->fd = client_connect(s);
    t->ctx = SSL_CTX_new(TLS_client_method());
    if (max_version)
        SSL_CTX_set_max_proto_version(t->ctx, max_version);
    if (pkey) {
        SSL_CTX_use_PrivateKey(t->ctx, pkey);
        SSL_CTX_use_certificate(t->ctx, x);
    }
    t->ssl = SSL_new(t->ctx);
    SSL_set_alpn_protos(t->ssl, protocols, sizeof(protocols) - 1);
    SSL_set_fd(t->ssl, t->fd);
    return SSL_connect(t->ssl) == 1;
}

static void session_close(struct session *t)
{
    SSL_free(t->ssl);
    SSL_CTX_free(t->ctx);
    close(t->fd);
}

static void say(struct session *t, const void *p, size_t n)
{
    size_t written;
    CHECK(!n || SSL_write_ex(t->ssl, p, n, &written) == 1);
}

/* The status; the body goes into @body if that is not NULL. 0: no answer. */
static int hear(struct session *t, berth_buf *body)
{
    char head[2048];
    size_t n = 0;
    int got;
    while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0) {
        CHECK(n < sizeof(head) - 1);
        if (SSL_read(t->ssl, head + n, 1) != 1)
            return 0;
        n++;
    }
    head[n] = '\0';
    const char *length = strstr(head, "Content-Length: ");
    size_t left = length ? strtoul(length + 16, NULL, 10) : 0;
    while (left) {
        char piece[8192];
        got = SSL_read(t->ssl, piece, (int)MIN(left, sizeof(piece)));
        if (got <= 0)
            return 0;
        if (body)
            berth_buf_add(body, piece, (size_t)got);
        left -= (size_t)got;
    }
    return (int)strtol(head + 9, NULL, 10);
}

static int ask(struct session *t, const char *request, berth_buf *body)
{
    size_t written; /* may fail: a server that does not want us says so by closing */
    return SSL_write_ex(t->ssl, request, strlen(request), &written) == 1 ? hear(t, body) : 0;
}

static void peer_name(struct session *t, char out[64])
{
    X509 *x = SSL_get1_peer_certificate(t->ssl);
    CHECK(x);
    X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, out, 64);
    X509_free(x);
}

#define REQUEST(line) line " HTTP/1.1\r\nHost: a\r\n\r\n"

static void test_http_tls__carries_requests_files_and_uploads(void **state)
{
    (void)state;
    const struct http_tls tls = {.certificate = certificate, .key = key};
    struct site *s = site_new(NULL, NULL, &tls);
    for (unsigned version = 0; version < 2; version++) {
        struct session t;
        CHECK(session_open(s, &t, version ? TLS1_2_VERSION : 0, NULL, NULL));
        const unsigned char *protocol;
        unsigned protocol_n;
        SSL_get0_alpn_selected(t.ssl, &protocol, &protocol_n);
        CHECK_STR(((berth_str){(const char *)protocol, protocol_n}), STR("http/1.1"));
        for (unsigned i = 0; i < 3; i++) {
            CLEANUP(berth_buf_done) berth_buf body = BERTH_BUF_INIT(64 * MIB);
            CHECK(ask(&t, REQUEST("GET /info"), &body) == 200);
            CHECK_STR(berth_buf_str(&body), STR("GET https a  /info  127.0.0.1"));
            berth_buf_reset(&body);
            CHECK(ask(&t, REQUEST("GET /file"), &body) == 200 && body.n == SITE_FILE_SIZE);
            for (size_t b = 0; b < body.n; b++)
                CHECK(body.p[b] == site_byte(b));
            berth_buf_reset(&body);
            CHECK(ask(&t, REQUEST("GET /memory"), &body) == 200 && body.n == 20 * MIB);
            for (size_t b = 0; b < body.n; b++)
                CHECK(body.p[b] == site_byte(b));
            berth_buf_reset(&body);
            CHECK(ask(&t, REQUEST("GET /mixed"), &body) == 206 && body.n == 100046);
            for (size_t b = 0; b < 100001; b++)
                CHECK(body.p[33 + b] == site_byte(2 * MIB - 5 + b));

            char *bytes = mem_alloc(3000000);
            for (size_t b = 0; b < 3000000; b++)
                bytes[b] = site_byte(b);
            static const char put[] = "PUT /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n";
            say(&t, put, sizeof(put) - 1);
            say(&t, bytes, 3000000);
            CHECK(hear(&t, NULL) == 201);
            static const char early[] = "PUT /413 HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n";
            say(&t, early, sizeof(early) - 1);
            say(&t, bytes, 3000000);
            CHECK(hear(&t, NULL) == 413);
            static const char chunked[] = "PUT /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                                          "Expect: 100-continue\r\n\r\n2dc6c0\r\n";
            say(&t, chunked, sizeof(chunked) - 1 - 8);
            CHECK(hear(&t, NULL) == 100);
            say(&t, "2dc6c0\r\n", 8);
            say(&t, bytes, 3000000);
            say(&t, "\r\n0\r\n\r\n", 7);
            CHECK(hear(&t, NULL) == 201);
            mem_free(bytes);
        }
        /* several requests in one record, and one in many */
        static const char two[] = REQUEST("GET /hello") REQUEST("GET /worker");
        say(&t, two, sizeof(two) - 1);
        CHECK(hear(&t, NULL) == 200 && hear(&t, NULL) == 200);
        for (size_t i = 0; i < sizeof(two) - 1; i++)
            say(&t, two + i, 1);
        CHECK(hear(&t, NULL) == 200 && hear(&t, NULL) == 200);
        session_close(&t);
    }
    site_free(s);
}

static void test_http_tls__reloads_certificates_all_or_none(void **state)
{
    (void)state;
    install("first.example");
    const struct http_tls tls = {.certificate = certificate, .key = key};
    struct site *s = site_new(NULL, NULL, &tls);
    struct session old, new;
    char name[64];
    CHECK(session_open(s, &old, 0, NULL, NULL));
    peer_name(&old, name);
    assert_string_equal(name, "first.example");

    install("second.example");
    CHECK_OK(http_server_reload_tls(s->server, &test_err));
    CHECK(session_open(s, &new, 0, NULL, NULL));
    peer_name(&new, name);
    assert_string_equal(name, "second.example");
    CHECK(ask(&new, REQUEST("GET /hello"), NULL) == 200);
    CHECK(ask(&old, REQUEST("GET /hello"), NULL) == 200); /* running connections go on */
    session_close(&new);

    FILE *f = fopen(key, "w");
    fputs("not a key", f);
    fclose(f);
    CHECK_CODE(http_server_reload_tls(s->server, &test_err), BERTH_E_INVALID);
    CHECK(session_open(s, &new, 0, NULL, NULL));
    peer_name(&new, name);
    assert_string_equal(name, "second.example");
    session_close(&new);
    session_close(&old);
    site_free(s);
    install("first.example");
}

static void test_http_tls__asks_for_client_certificates_when_told_to(void **state)
{
    (void)state;
    EVP_PKEY *ours, *theirs;
    X509 *our_cert, *their_cert;
    make_certificate("client.example", &ours, &our_cert);
    make_certificate("client.example", &theirs, &their_cert);
    write_pem(ca, NULL, our_cert);
    const struct http_tls tls = {.certificate = certificate, .key = key, .client_ca = ca, .minimum = "1.3"};
    struct site *s = site_new(NULL, NULL, &tls);
    struct session t;
    CHECK(session_open(s, &t, 0, ours, our_cert));
    CHECK(ask(&t, REQUEST("GET /hello"), NULL) == 200);
    session_close(&t);
    /* in TLS 1.3 the refusal comes after the client's side of the handshake */
    CHECK(!session_open(s, &t, 0, theirs, their_cert) || ask(&t, REQUEST("GET /hello"), NULL) == 0);
    session_close(&t);
    CHECK(!session_open(s, &t, 0, NULL, NULL) || ask(&t, REQUEST("GET /hello"), NULL) == 0);
    session_close(&t);
    CHECK(!session_open(s, &t, TLS1_2_VERSION, ours, our_cert)); /* below the minimum */
    session_close(&t);
    EVP_PKEY_free(ours);
    EVP_PKEY_free(theirs);
    X509_free(our_cert);
    X509_free(their_cert);
    site_free(s);
}

/* Whether a client that speaks TLS 1.2 with nothing but @ciphers is served. */
static bool serves(const struct site *s, const char *ciphers)
{
    struct session t = {.fd = client_connect(s), .ctx = SSL_CTX_new(TLS_client_method())};
    SSL_CTX_set_max_proto_version(t.ctx, TLS1_2_VERSION);
    CHECK(SSL_CTX_set_cipher_list(t.ctx, ciphers) == 1);
    t.ssl = SSL_new(t.ctx);
    SSL_set_fd(t.ssl, t.fd);
    bool served = SSL_connect(t.ssl) == 1 && ask(&t, REQUEST("GET /hello"), NULL) == 200;
    session_close(&t);
    return served;
}

static void test_http_tls__speaks_tls_1_2_with_the_listed_ciphers_alone(void **state)
{
    (void)state;
    static const char *const cbc = "ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA";
    const struct http_tls rows[] = {
        {.certificate = certificate, .key = key},
        {.certificate = certificate, .key = key, .ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384"},
        {.certificate = certificate, .key = key, .ciphers = "ECDHE+AES:!AESGCM:!AESCCM"},
    };
    static const struct {
        bool cbc, small, chacha;
    } want[] = {{false, true, true}, {false, false, false}, {true, false, false}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct site *s = site_new(NULL, NULL, &rows[i]);
        for (unsigned reloaded = 0; reloaded < 2; reloaded++) {
            CHECK_ROW(i, serves(s, cbc) == want[i].cbc);
            CHECK_ROW(i, serves(s, "ECDHE-ECDSA-AES128-GCM-SHA256") == want[i].small);
            CHECK_ROW(i, serves(s, "ECDHE-ECDSA-CHACHA20-POLY1305") == want[i].chacha);
            struct session t;
            CHECK_ROW(i, session_open(s, &t, 0, NULL, NULL)); /* TLS 1.3 has suites of its own */
            session_close(&t);
            CHECK_OK(http_server_reload_tls(s->server, &test_err));
        }
        site_free(s);
    }
}

static void test_http_tls__tells_who_speaks_plainly(void **state)
{
    (void)state;
    const struct http_tls tls = {.certificate = certificate, .key = key};
    struct site *s = site_new(NULL, NULL, &tls);
    int fd = client_connect(s);
    struct reply r;
    client_say(fd, REQUEST("GET /hello"));
    CHECK(client_read(fd, false, &r) && r.status == 400);
    CHECK(reply_has(&r, "X-Refused: Client sent an HTTP request to an HTTPS server"));
    CHECK(client_is_closed(fd));
    reply_done(&r);
    close(fd);

    fd = client_connect(s); /* neither the one nor the other */
    client_say(fd, "\x16\x03\x01nonsense, and more of it, until the record is complete");
    client_send_body(fd, 0, 20000);
    CHECK(client_is_closed(fd));
    close(fd);
    site_free(s);
}

static void test_http_tls__bounds_the_handshake_in_time(void **state)
{
    (void)state;
    const struct http_tls tls = {.certificate = certificate, .key = key};
    struct http_options opts = {.timeouts = {.header = 1500}}; /* and time for a handshake */
    struct site *s = site_new(&opts, NULL, &tls);
    int silent = client_connect(s), slow = client_connect(s);
    client_say(slow, "\x16\x03\x01");
    struct session t;
    CHECK(session_open(s, &t, 0, NULL, NULL));
    CHECK(client_is_closed(silent) && client_is_closed(slow));
    CHECK(SSL_read(t.ssl, dir, 1) <= 0); /* shaken hands, and then no request */
    session_close(&t);
    close(silent);
    close(slow);
    site_free(s);
}

static void test_http_tls__tells_one_connection_too_many_so(void **state)
{
    (void)state;
    const struct http_tls tls = {.certificate = certificate, .key = key};
    struct http_options all = {.limits = {.connections = 1}}, each = {.limits = {.connections_per_peer = 1}};
    const struct http_options *const options[] = {&all, &each};
    const int statuses[] = {503, 429};
    for (size_t i = 0; i < COUNT(options); i++) {
        struct site *s = site_new(options[i], NULL, &tls);
        struct session first, one_more;
        CHECK(session_open(s, &first, 0, NULL, NULL) && ask(&first, REQUEST("GET /hello"), NULL) == 200);
        for (unsigned n = 0; n < 300; n++) { /* each gives its place back */
            CHECK_ROW(i, session_open(s, &one_more, 0, NULL, NULL));
            CHECK_ROW(i, ask(&one_more, REQUEST("GET /hello"), NULL) == statuses[i]);
            session_close(&one_more);
        }
        CHECK(ask(&first, REQUEST("GET /hello"), NULL) == 200);
        session_close(&first);
        site_free(s);
    }
}

static void test_http_tls__survives_clients_that_vanish(void **state)
{
    (void)state;
    const struct http_tls tls = {.certificate = certificate, .key = key};
    struct site *s = site_new(NULL, NULL, &tls);
    for (unsigned i = 0; i < 20; i++) {
        struct session t;
        CHECK(session_open(s, &t, 0, NULL, NULL));
        if (i % 2)
            say(&t, REQUEST("GET /memory"), sizeof(REQUEST("GET /memory")) - 1);
        const struct linger now = {1, 0};
        if (i % 3)
            setsockopt(t.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        session_close(&t);
    }
    struct session t;
    CHECK(session_open(s, &t, 0, NULL, NULL));
    CHECK(ask(&t, REQUEST("GET /hello"), NULL) == 200);
    session_close(&t);
    site_free(s);
}

static void test_http_tls__refuses_files_it_cannot_use(void **state)
{
    (void)state;
    const struct http_tls rows[] = {
        {.certificate = nothing, .key = key},
        {.certificate = certificate, .key = nothing},
        {.certificate = certificate, .key = certificate},
        {.certificate = certificate, .key = key, .client_ca = nothing},
        {.certificate = certificate, .key = key, .minimum = "1.1"},
        {.certificate = certificate, .key = key, .ciphers = "NO-SUCH-CIPHER"},
        {.certificate = certificate, .key = key, .ciphers = "TLS_AES_128_GCM_SHA256"}, /* of TLS 1.3 */
        {.certificate = certificate, .key = key, .ciphers = ""},
        {.certificate = certificate},
    };
    const struct http_app app = {.data = NULL};
    http_server *server;
    CHECK_OK(http_server_new(&app, NULL, &server, &test_err));
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *address = NULL;
        CHECK_ROW(i, http_server_listen(server, "127.0.0.1:0", &rows[i], &address, &test_err) ==
                         BERTH_E_INVALID);
        CHECK_ROW(i, !address && test_err.message[0]);
    }
    http_server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_http_tls__carries_requests_files_and_uploads),
        TEST(test_http_tls__reloads_certificates_all_or_none),
        TEST(test_http_tls__asks_for_client_certificates_when_told_to),
        TEST(test_http_tls__speaks_tls_1_2_with_the_listed_ciphers_alone),
        TEST(test_http_tls__tells_who_speaks_plainly),
        TEST(test_http_tls__bounds_the_handshake_in_time),
        TEST(test_http_tls__tells_one_connection_too_many_so),
        TEST(test_http_tls__survives_clients_that_vanish),
        TEST(test_http_tls__refuses_files_it_cannot_use),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
