/* daemon/systemd.c - see systemd.h. */
#include "daemon/systemd.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define FIRST_FD 3

void systemd_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(sa.sun_path))
        return;
    memcpy(sa.sun_path, path, strlen(path));
    if (path[0] == '@')
        sa.sun_path[0] = '\0';
    CLEANUP(closep) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&sa,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
}

static bool for_this_process(const char *variable)
{
    const char *pid = getenv(variable);
    return pid && strtol(pid, NULL, 10) == (long)getpid();
}

uint64_t systemd_watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC");
    if (!usec || (getenv("WATCHDOG_PID") && !for_this_process("WATCHDOG_PID")))
        return 0;
    return strtoull(usec, NULL, 10) / 2000; /* twice as often as is asked for */
}

unsigned systemd_listen_fds(void)
{
    const char *n = getenv("LISTEN_FDS");
    if (!n || !for_this_process("LISTEN_PID"))
        return 0;
    unsigned long count = strtoul(n, NULL, 10);
    if (count > 1000)
        return 0;
    for (unsigned long i = 0; i < count; i++)
        fcntl((int)(FIRST_FD + i), F_SETFD, FD_CLOEXEC);
    return (unsigned)count;
}
