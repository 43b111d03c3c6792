/* http/window.c - how much of a body may wait in the kernel.
 *
 * Linux lets a connection's receive buffer grow to megabytes (net.ipv4.tcp_rmem). A far peer needs that; from
 * a near one it only means that bytes are read after they have left the processor's caches, and that a sender
 * on the same machine keeps its processor (docs/adr/0042). 1 GiB over the loopback in chunks of 16 MiB: 1.03
 * s without a bound, 0.99 s with this one, for the same processor time. Half and a quarter of it were as fast
 * for a tenth more of that, twice as much gained nothing. */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "http/internal.h"

#define NEAR_BYTES (512 * KIB) /* Linux takes as much again for its own needs */
/* Of round trip: the bound still lets 5 GiB/s through, and 2 where net.core.rmem_max is Linux's 208 KiB; one
 * core hashes no faster. */
#define NEAR_US 100

void http_window_bound(struct http_conn *c)
{
    struct tcp_info info = {.tcpi_min_rtt = UINT32_MAX}; /* what an old kernel leaves alone */
    socklen_t n = sizeof(info);
    if (c->measured || c->is_unix)
        return;
    c->measured = true;
    if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &n) < 0 || info.tcpi_min_rtt > NEAR_US)
        return;
    const int bytes = NEAR_BYTES;
    (void)setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)); /* the same without, but slower */
}
