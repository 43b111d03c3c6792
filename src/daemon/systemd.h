/* daemon/systemd.h - readiness, watchdog and socket activation, as sd_notify(3) and sd_listen_fds(3) describe
 * the protocols; both are a few lines over a socket and two variables, and work where there is no systemd. */
#ifndef DAEMON_SYSTEMD_H
#define DAEMON_SYSTEMD_H

#include "util/base.h"

void systemd_notify(const char *state); /* "READY=1"; nothing where nobody listens */
uint64_t systemd_watchdog_ms(void);     /* how often "WATCHDOG=1" is to be sent; 0: not at all */
unsigned systemd_listen_fds(void);      /* number of sockets handed over, from descriptor 3 on */

#endif
