/* http/listen.c - from the address in the configuration to listening sockets.
 *
 * TCP: one socket for each loop with SO_REUSEPORT, so that the kernel spreads connections. A unix socket and
 * an inherited one are shared by all loops. */
#include "http/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "util/fault.h"

#define BACKLOG      4096
#define PORT_RETRIES 16

void http_listeners_free(struct http_listener *list)
{
    for (struct http_listener *l = list, *next; l; l = next) {
        next = l->next;
        for (size_t i = 0; i < l->n_fds; i++)
            closep(&l->fds[i]);
        if (l->unix_path)
            unlink(l->unix_path);
        if (l->owns_tls)
            http_tls_config_free(l->tls);
        mem_free(l->unix_path);
        mem_free(l->fds);
        mem_free(l);
    }
}

void http_listener_leave(struct http_listener *l, int *fd)
{
    bool shared = l->n_fds == 1;
    if (shared && atomic_fetch_sub(&l->users, 1) > 1)
        return;
    int old = steal_fd(fd);
    closep(&old);
    if (shared && l->unix_path) {
        unlink(l->unix_path);
        mem_free(steal(&l->unix_path));
    }
}

static void listeners_freep(struct http_listener **l)
{
    http_listeners_free(*l);
}

static struct http_listener *listener_new(size_t n)
{
    struct http_listener *l = fault_hit() ? NULL : mem_zalloc(1, sizeof(*l));
    if (l)
        l->fds = fault_hit() ? NULL : mem_alloc(n * sizeof(*l->fds));
    if (!l || !l->fds) {
        mem_free(l);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        l->fds[i] = -1;
    l->n_fds = n;
    return l;
}

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
    struct sockaddr_storage room;
};

static uint16_t port_of(const union address *a)
{
    return ntohs(a->any.sa_family == AF_INET6 ? a->v6.sin6_port : a->v4.sin_port);
}

static void set_port(union address *a, uint16_t port)
{
    if (a->any.sa_family == AF_INET6)
        a->v6.sin6_port = htons(port);
    else
        a->v4.sin_port = htons(port);
}

static int tcp_socket(const union address *a, socklen_t n, bool dual, bool shared)
{
    CLEANUP(closep) int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int on = 1, off = 0;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0) ||
        (a->any.sa_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, dual ? &off : &on, sizeof(on)) < 0) ||
        bind(fd, &a->any, n) < 0)
        return -1;
    /* Accepted sockets inherit these. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    return steal_fd(&fd);
}

/* All sockets of one address; *@a gets the port that the kernel chose. -1 and errno. */
static int listen_tcp(union address *a, socklen_t n, bool dual, size_t n_loops, struct http_listener **ret_l)
{
    CLEANUP(listeners_freep) struct http_listener *l = listener_new(n_loops);
    if (!l) {
        errno = ENOMEM;
        return -1;
    }
    if (port_of(a)) {
        /* SO_REUSEPORT would let a second server of ours take half of the connections unnoticed. */
        CLEANUP(closep) int probe = tcp_socket(a, n, dual, false);
        if (probe < 0)
            return -1;
    }
    for (size_t i = 0; i < n_loops; i++) {
        l->fds[i] = tcp_socket(a, n, dual, true);
        if (l->fds[i] < 0 || fault_hit() || listen(l->fds[i], BACKLOG) < 0)
            return -1;
        union address bound;
        socklen_t bound_n = sizeof(bound);
        if (getsockname(l->fds[i], &bound.any, &bound_n) < 0)
            return -1;
        set_port(a, port_of(&bound));
    }
    *ret_l = steal(&l);
    return 0;
}

/* A hosts file may name one address twice. */
static bool seen_before(const struct addrinfo *found, const struct addrinfo *f)
{
    for (; found != f; found = found->ai_next)
        if (found->ai_addrlen == f->ai_addrlen && memcmp(found->ai_addr, f->ai_addr, f->ai_addrlen) == 0)
            return true;
    return false;
}

/* Every address of @found, on the same port. Success when one is bound, but a port that another process holds
 * on any of them is a failure. */
static int listen_all(const struct addrinfo *found, bool dual, size_t n_loops,
                      struct http_listener **ret_list, uint16_t *ret_port)
{
    CLEANUP(listeners_freep) struct http_listener *list = NULL;
    uint16_t port = 0;
    int failed = EADDRNOTAVAIL;
    for (const struct addrinfo *f = found; f; f = f->ai_next) {
        union address a;
        if (f->ai_addrlen > sizeof(a) || seen_before(found, f))
            continue;
        memcpy(&a, f->ai_addr, f->ai_addrlen);
        if (port)
            set_port(&a, port);
        struct http_listener *l = NULL;
        if (listen_tcp(&a, f->ai_addrlen, dual, n_loops, &l) < 0) {
            failed = errno;
            if (errno == EADDRINUSE || errno == EACCES)
                return -1;
            continue;
        }
        port = port_of(&a);
        l->next = list;
        list = l;
        if (dual)
            break;
    }
    if (!list) {
        errno = failed;
        return -1;
    }
    *ret_list = steal(&list);
    *ret_port = port;
    return 0;
}

/* From mem_alloc(); NULL without memory. */
static char *print_address(const char *host, uint16_t port)
{
    berth_buf out = BERTH_BUF_INIT(KIB);
    if (strchr(host, ':'))
        berth_buf_addf(&out, "[%s]:%u", host, (unsigned)port);
    else
        berth_buf_addf(&out, "%s:%u", host, (unsigned)port);
    char *text = berth_buf_take(&out);
    berth_buf_done(&out);
    return text;
}

static int open_tcp(const char *address, size_t n_loops, struct http_listener **ret_list, char **ret_address,
                    berth_error *err)
{
    const char *colon = strrchr(address, ':');
    uint64_t port;
    if (!colon || !str_to_u64(str_from(colon + 1), &port) || port > UINT16_MAX)
        return berth_error_set(err, BERTH_E_INVALID, "'%s' is not host:port, unix:/path or fd:N", address);
    berth_str name = {address, (size_t)(colon - address)};
    bool bracketed = name.n >= 2 && name.p[0] == '[' && name.p[name.n - 1] == ']';
    if (bracketed)
        name = (berth_str){name.p + 1, name.n - 2};
    CLEANUP(freep) char *host = fault_hit() ? NULL : str_dup(name);
    if (!host)
        return berth_error_set(err, BERTH_E_NOMEM, "no memory to listen on '%s'", address);

    struct addrinfo hints = {.ai_family = bracketed ? AF_INET6
                                          : *host   ? AF_UNSPEC
                                                    : AF_INET6,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    /* RFC 6761: localhost is the loopback address of both families, whatever a hosts file leaves out. */
    const char *node = *host ? host : NULL;
    if (str_eq_nocase(name, STR("localhost"))) {
        node = NULL;
        hints.ai_flags = AI_NUMERICSERV;
    }
    struct addrinfo *found = NULL;
    int r = -1, resolved = 0;
    for (unsigned tries = 0; r < 0 && tries < PORT_RETRIES; tries++) {
        resolved = getaddrinfo(node, colon + 1, &hints, &found);
        if (resolved)
            break;
        uint16_t bound;
        r = listen_all(found, !*host && hints.ai_family == AF_INET6, n_loops, ret_list, &bound);
        int failed = errno;
        freeaddrinfo(found);
        if (r == 0)
            port = bound;
        else if (!*host && hints.ai_family == AF_INET6 && failed != EADDRINUSE)
            hints.ai_family = AF_INET;         /* a machine without IPv6 */
        else if (port || failed != EADDRINUSE) /* a port that the kernel chose may be taken in the other */
            return berth_error_set(err, BERTH_E_NETWORK, "listening on '%s': %s", address, strerror(failed));
    }
    if (resolved)
        return berth_error_set(err, BERTH_E_NETWORK, "looking up '%s': %s", host, gai_strerror(resolved));
    if (r < 0)
        return berth_error_set(err, BERTH_E_NETWORK, "listening on '%s': no free port", address);
    *ret_address = print_address(*host ? host : "localhost", (uint16_t)port);
    return *ret_address ? BERTH_OK : berth_error_set(err, BERTH_E_NOMEM, "no memory for an address");
}

/* Removes a socket that a server which is no more has left; one that answers stays. */
static int clear_stale(const union address *a, socklen_t n)
{
    struct stat st;
    if (lstat(a->local.sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return 0; /* nothing, or nothing of ours: bind() says so */
    CLEANUP(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, &a->any, n) < 0 && errno == ECONNREFUSED)
        return unlink(a->local.sun_path);
    errno = EADDRINUSE;
    return -1;
}

/* @mode 0: what the umask leaves. Nobody can connect before listen(), so none sees it with another mode. */
static int open_unix(const char *address, unsigned mode, struct http_listener **ret_list, char **ret_address,
                     berth_error *err)
{
    const char *path = address + strlen("unix:");
    union address a = {.local = {.sun_family = AF_UNIX}};
    if (!*path || strlen(path) >= sizeof(a.local.sun_path))
        return berth_error_set(err, BERTH_E_INVALID, "'%s': a path of 1 to %zu bytes is needed", address,
                               sizeof(a.local.sun_path) - 1);
    memcpy(a.local.sun_path, path, strlen(path) + 1);

    CLEANUP(listeners_freep) struct http_listener *l = listener_new(1);
    CLEANUP(freep) char *text = fault_hit() ? NULL : str_dup(str_from(address));
    if (!l || !text)
        return berth_error_set(err, BERTH_E_NOMEM, "no memory to listen on '%s'", address);
    l->is_unix = true;
    l->fds[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fds[0] < 0 || clear_stale(&a, sizeof(a.local)) < 0 || bind(l->fds[0], &a.any, sizeof(a.local)) < 0)
        return berth_error_set(err, BERTH_E_NETWORK, "listening on '%s': %s", address, strerror(errno));
    l->unix_path = fault_hit() ? NULL : str_dup(str_from(path));
    if (!l->unix_path) {
        unlink(path);
        return berth_error_set(err, BERTH_E_NOMEM, "no memory to listen on '%s'", address);
    }
    if (fault_hit() || (mode && chmod(path, (mode_t)mode) < 0) || listen(l->fds[0], BACKLOG) < 0)
        return berth_error_set(err, BERTH_E_NETWORK, "listening on '%s': %s", address, strerror(errno));
    *ret_list = steal(&l);
    *ret_address = steal(&text);
    return BERTH_OK;
}

static char *print_bound(const union address *a)
{
    struct http_address bytes = {{0}};
    char text[HTTP_ADDRESS_TEXT];
    if (a->any.sa_family == AF_UNIX) {
        berth_buf out = BERTH_BUF_INIT(KIB);
        berth_buf_addf(&out, "unix:%s", a->local.sun_path);
        char *path = berth_buf_take(&out);
        berth_buf_done(&out);
        return path;
    }
    if (a->any.sa_family == AF_INET6) {
        memcpy(bytes.bytes, &a->v6.sin6_addr, 16);
    } else {
        bytes.bytes[10] = bytes.bytes[11] = 0xff;
        memcpy(bytes.bytes + 12, &a->v4.sin_addr, 4);
    }
    http_address_print(&bytes, text);
    return print_address(text, port_of(a));
}

static int open_inherited(const char *address, struct http_listener **ret_list, char **ret_address,
                          berth_error *err)
{
    uint64_t fd;
    int accepts = 0;
    socklen_t n = sizeof(accepts);
    if (!str_to_u64(str_from(address + strlen("fd:")), &fd) || fd > INT32_MAX ||
        getsockopt((int)fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &n) < 0 || !accepts)
        return berth_error_set(err, BERTH_E_INVALID, "'%s' is not a listening socket", address);
    CLEANUP(listeners_freep) struct http_listener *l = listener_new(1);
    if (!l)
        return berth_error_set(err, BERTH_E_NOMEM, "no memory to listen on '%s'", address);
    union address bound = {.any = {.sa_family = AF_UNSPEC}};
    socklen_t bound_n = sizeof(bound);
    if (getsockname((int)fd, &bound.any, &bound_n) < 0 ||
        fcntl((int)fd, F_SETFL, fcntl((int)fd, F_GETFL) | O_NONBLOCK) < 0 ||
        fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
        return berth_error_set(err, BERTH_E_NETWORK, "taking over '%s': %s", address, strerror(errno));
    l->is_unix = bound.any.sa_family == AF_UNIX;
    if (!l->is_unix) {
        const int on = 1;
        setsockopt((int)fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    *ret_address = print_bound(&bound);
    if (!*ret_address)
        return berth_error_set(err, BERTH_E_NOMEM, "no memory for an address");
    l->fds[0] = (int)fd;
    *ret_list = steal(&l);
    return BERTH_OK;
}

int http_listeners_open(const char *address, size_t n_loops, unsigned socket_mode,
                        struct http_listener **ret_list, char **ret_address, berth_error *err)
{
    CLEANUP(listeners_freep) struct http_listener *list = NULL;
    char *text = NULL;
    int r;
    if (strncmp(address, "unix:", 5) == 0)
        r = open_unix(address, socket_mode, &list, &text, err);
    else if (strncmp(address, "fd:", 3) == 0)
        r = open_inherited(address, &list, &text, err);
    else
        r = open_tcp(address, n_loops, &list, &text, err);
    if (r != BERTH_OK)
        return r;
    for (struct http_listener *l = list; l; l = l->next)
        atomic_init(&l->users, n_loops);
    *ret_list = steal(&list);
    *ret_address = text;
    return BERTH_OK;
}
