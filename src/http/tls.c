/* http/tls.c - the only file that sees OpenSSL's TLS: contexts from PEM files, and reads and writes on our
 * own non-blocking sockets. */
#include "http/internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "util/fault.h"

struct http_tls_config {
    char *certificate, *key, *client_ca, *ciphers;
    int minimum;
    pthread_mutex_t lock; /* over @context: reload swaps it while loops accept */
    SSL_CTX *context, *prepared;
};

static int failed(berth_error *err, const char *what, const char *path)
{
    char reason[160] = "no reason given";
    unsigned long code = ERR_get_error();
    if (code)
        ERR_error_string_n(code, reason, sizeof(reason));
    ERR_clear_error();
    return berth_error_set(err, BERTH_E_INVALID, "%s '%s': %s", what, path, reason);
}

/* We speak HTTP/1.1 only; a client that offers nothing we know goes on without ALPN. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in,
                           unsigned int in_n, void *arg)
{
    (void)ssl;
    (void)arg;
    static const unsigned char ours[] = "\x08http/1.1\x08http/1.0";
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_n, ours, sizeof(ours) - 1, in, in_n) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

int http_tls_prepare(struct http_tls_config *c, berth_error *err)
{
    ERR_clear_error();
    SSL_CTX *ctx = fault_hit() ? NULL : SSL_CTX_new(TLS_server_method());
    if (!ctx)
        return berth_error_set(err, BERTH_E_NOMEM, "no memory for a TLS context");
    SSL_CTX_set_min_proto_version(ctx, c->minimum);
    SSL_CTX_set_options(ctx,
                        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    static const unsigned char session_context[] = "berth";
    SSL_CTX_set_session_id_context(ctx, session_context, sizeof(session_context) - 1);

    int r = BERTH_OK;
    if (SSL_CTX_set_cipher_list(ctx, c->ciphers) != 1)
        r = failed(err, "reading the list of ciphers", c->ciphers);
    else if (SSL_CTX_use_certificate_chain_file(ctx, c->certificate) != 1)
        r = failed(err, "reading the certificate", c->certificate);
    else if (SSL_CTX_use_PrivateKey_file(ctx, c->key, SSL_FILETYPE_PEM) != 1)
        r = failed(err, "reading the key", c->key);
    else if (SSL_CTX_check_private_key(ctx) != 1)
        r = failed(err, "the key does not belong to the certificate", c->certificate);
    else if (c->client_ca && SSL_CTX_load_verify_locations(ctx, c->client_ca, NULL) != 1)
        r = failed(err, "reading the clients' CA", c->client_ca);
    if (r == BERTH_OK && c->client_ca) {
        STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(c->client_ca);
        if (!names)
            r = failed(err, "reading the clients' CA", c->client_ca);
        else
            SSL_CTX_set_client_CA_list(ctx, names);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    if (r != BERTH_OK) {
        SSL_CTX_free(ctx);
        return r;
    }
    SSL_CTX_free(c->prepared);
    c->prepared = ctx;
    return BERTH_OK;
}

void http_tls_commit(struct http_tls_config *c, bool use)
{
    SSL_CTX *old = c->prepared;
    if (use) {
        pthread_mutex_lock(&c->lock);
        old = c->context;
        c->context = c->prepared;
        pthread_mutex_unlock(&c->lock);
    }
    c->prepared = NULL;
    SSL_CTX_free(old); /* connections hold a reference of their own */
}

bool http_tls_knows_ciphers(const char *list)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    bool known = ctx && SSL_CTX_set_cipher_list(ctx, list) == 1;
    SSL_CTX_free(ctx);
    ERR_clear_error();
    return known;
}

int http_tls_config_new(const struct http_tls *files, struct http_tls_config **ret_c, berth_error *err)
{
    if (!files->certificate || !files->key)
        return berth_error_set(err, BERTH_E_INVALID, "TLS needs a certificate and a key");
    int minimum = TLS1_2_VERSION;
    if (files->minimum && strcmp(files->minimum, "1.3") == 0)
        minimum = TLS1_3_VERSION;
    else if (files->minimum && strcmp(files->minimum, "1.2") != 0)
        return berth_error_set(err, BERTH_E_INVALID, "'%s' is no TLS version: 1.2 or 1.3", files->minimum);
    struct http_tls_config *c = fault_hit() ? NULL : mem_zalloc(1, sizeof(*c));
    if (!c)
        return berth_error_set(err, BERTH_E_NOMEM, "no memory for TLS");
    pthread_mutex_init(&c->lock, NULL);
    c->minimum = minimum;
    c->certificate = str_dup(str_from(files->certificate));
    c->key = str_dup(str_from(files->key));
    c->client_ca = files->client_ca ? str_dup(str_from(files->client_ca)) : NULL;
    c->ciphers = str_dup(str_from(files->ciphers ? files->ciphers : HTTP_TLS_CIPHERS));
    int r = c->certificate && c->key && c->ciphers && (c->client_ca || !files->client_ca)
                ? http_tls_prepare(c, err)
                : berth_error_set(err, BERTH_E_NOMEM, "no memory for TLS");
    if (r != BERTH_OK) {
        http_tls_config_free(c);
        return r;
    }
    http_tls_commit(c, true);
    *ret_c = c;
    return BERTH_OK;
}

void http_tls_config_free(struct http_tls_config *c)
{
    if (!c)
        return;
    SSL_CTX_free(c->context);
    SSL_CTX_free(c->prepared);
    pthread_mutex_destroy(&c->lock);
    mem_free(c->certificate);
    mem_free(c->key);
    mem_free(c->client_ca);
    mem_free(c->ciphers);
    mem_free(c);
}

struct ssl_st *http_tls_accept(struct http_tls_config *c, int fd)
{
    ERR_clear_error();
    pthread_mutex_lock(&c->lock);
    SSL *s = fault_hit() ? NULL : SSL_new(c->context);
    pthread_mutex_unlock(&c->lock);
    if (s && SSL_set_fd(s, fd) != 1) {
        SSL_free(s);
        return NULL;
    }
    if (s)
        SSL_set_accept_state(s);
    return s;
}

static int outcome(SSL *s, int r, unsigned *ret_wants)
{
    switch (SSL_get_error(s, r)) {
    case SSL_ERROR_WANT_READ:
        *ret_wants = HTTP_READ;
        return HTTP_IO_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        *ret_wants = HTTP_WRITE;
        return HTTP_IO_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        ERR_clear_error();
        return HTTP_IO_BROKEN;
    }
}

int http_tls_handshake(struct ssl_st *s, unsigned *ret_wants)
{
    ERR_clear_error();
    int r = SSL_do_handshake(s);
    if (r == 1)
        return 1;
    r = outcome(s, r, ret_wants);
    return r == 0 ? HTTP_IO_BROKEN : r;
}

/* Several records at once, as many as @p holds: what stays inside OpenSSL no poll would tell of. */
ssize_t http_tls_recv(struct ssl_st *s, void *p, size_t n, unsigned *ret_wants)
{
    size_t got = 0;
    *ret_wants = 0;
    while (got < n) {
        ERR_clear_error();
        int r = SSL_read(s, (char *)p + got, (int)MIN(n - got, (size_t)INT32_MAX));
        if (r <= 0) {
            r = outcome(s, r, ret_wants);
            return got ? (ssize_t)got : r;
        }
        got += (size_t)r;
    }
    return (ssize_t)got;
}

ssize_t http_tls_send(struct ssl_st *s, const void *p, size_t n, unsigned *ret_wants)
{
    *ret_wants = 0;
    ERR_clear_error();
    int r = SSL_write(s, p, (int)MIN(n, (size_t)INT32_MAX));
    if (r > 0)
        return r;
    r = outcome(s, r, ret_wants);
    return r == 0 ? HTTP_IO_BROKEN : r;
}

void http_tls_shutdown(struct ssl_st *s)
{
    ERR_clear_error();
    SSL_shutdown(s); /* one way: we do not wait for the other's */
    ERR_clear_error();
}

void http_tls_free(struct ssl_st *s)
{
    SSL_free(s);
}
