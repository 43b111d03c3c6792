/* tests/fault/calls.c - see calls.h. */
#include "calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#include "test.h"

#include "client/client_curl.h"
#include "util/fault.h"

/* The names are the linker's: it calls __wrap_x() for x(), and x() for __real_x(). */
#define WRAP(type, name, params, args, failed, error)                                                        \
    type __real_##name params;                                                                               \
    type __wrap_##name params;                                                                               \
    type __wrap_##name params                                                                                \
    {                                                                                                        \
        if (fault_hit()) {                                                                                   \
            errno = (error);                                                                                 \
            return failed;                                                                                   \
        }                                                                                                    \
        return __real_##name args;                                                                           \
    }

/* --- memory --- */

WRAP(void *, malloc, (size_t n), (n), NULL, ENOMEM)
WRAP(void *, calloc, (size_t n, size_t size), (n, size), NULL, ENOMEM)
WRAP(void *, realloc, (void *p, size_t n), (p, n), NULL, ENOMEM)
WRAP(void *, reallocarray, (void *p, size_t n, size_t size), (p, n, size), NULL, ENOMEM)
WRAP(char *, realpath, (const char *path, char *out), (path, out), NULL, ENOMEM)

/* --- files --- */

WRAP(ssize_t, read, (int fd, void *p, size_t n), (fd, p, n), -1, EIO)
WRAP(ssize_t, pread64, (int fd, void *p, size_t n, off_t at), (fd, p, n, at), -1, EIO)
WRAP(ssize_t, pwrite64, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at), -1, ENOSPC)
WRAP(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n), -1, ENOSPC)
WRAP(off_t, lseek64, (int fd, off_t to, int whence), (fd, to, whence), -1, EIO)
WRAP(int, fsync, (int fd), (fd), -1, EIO)
WRAP(int, fdatasync, (int fd), (fd), -1, EIO)
WRAP(int, ftruncate64, (int fd, off_t size), (fd, size), -1, EIO)
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode), -1, EPERM)
WRAP(int, fstat64, (int fd, struct stat *st), (fd, st), -1, EIO)
WRAP(int, stat64, (const char *path, struct stat *st), (path, st), -1, EACCES)
WRAP(int, lstat64, (const char *path, struct stat *st), (path, st), -1, EACCES)
WRAP(int, fstatat64, (int fd, const char *path, struct stat *st, int flags), (fd, path, st, flags), -1,
     EACCES)
WRAP(int, flock, (int fd, int what), (fd, what), -1, EIO)
WRAP(int, rename, (const char *from, const char *to), (from, to), -1, EIO)
WRAP(int, renameat, (int a, const char *from, int b, const char *to), (a, from, b, to), -1, EIO)
WRAP(int, linkat, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags), -1,
     EIO)
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode), -1, EACCES)
WRAP(int, mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode), -1, EACCES)
WRAP(int, fsetxattr, (int fd, const char *name, const void *p, size_t n, int flags), (fd, name, p, n, flags),
     -1, ENOTSUP)
WRAP(ssize_t, fgetxattr, (int fd, const char *name, void *p, size_t n), (fd, name, p, n), -1, ENOTSUP)
WRAP(DIR *, opendir, (const char *path), (path), NULL, EACCES)

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    if (fault_hit()) {
        errno = EMFILE;
        return -1;
    }
    return __real_open64(path, flags, mode);
}

int __real_openat64(int fd, const char *path, int flags, ...);
int __wrap_openat64(int fd, const char *path, int flags, ...);
int __wrap_openat64(int fd, const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    if (fault_hit()) {
        errno = EMFILE;
        return -1;
    }
    return __real_openat64(fd, path, flags, mode);
}

/* --- events, processes, threads --- */

WRAP(int, epoll_create1, (int flags), (flags), -1, EMFILE)
WRAP(int, epoll_ctl, (int e, int what, int fd, struct epoll_event *event), (e, what, fd, event), -1, ENOMEM)
WRAP(int, timerfd_create, (int clock, int flags), (clock, flags), -1, EMFILE)
WRAP(int, eventfd, (unsigned value, int flags), (value, flags), -1, EMFILE)
WRAP(int, pipe2, (int *fds, int flags), (fds, flags), -1, EMFILE)
WRAP(int, memfd_create, (const char *name, unsigned flags), (name, flags), -1, EMFILE)
WRAP(int, pthread_mutex_init, (pthread_mutex_t * m, const pthread_mutexattr_t *a), (m, a), ENOMEM, ENOMEM)
WRAP(int, pthread_cond_init, (pthread_cond_t * c, const pthread_condattr_t *a), (c, a), ENOMEM, ENOMEM)
WRAP(int, posix_spawnattr_init, (posix_spawnattr_t * a), (a), ENOMEM, ENOMEM)
WRAP(int, posix_spawn_file_actions_init, (posix_spawn_file_actions_t * a), (a), ENOMEM, ENOMEM)
WRAP(int, posix_spawn_file_actions_adddup2, (posix_spawn_file_actions_t * a, int from, int to), (a, from, to),
     ENOMEM, ENOMEM)
WRAP(int, posix_spawnp,
     (pid_t * pid, const char *file, const posix_spawn_file_actions_t *actions,
      const posix_spawnattr_t *attributes, char *const argv[], char *const env[]),
     (pid, file, actions, attributes, argv, env), EAGAIN, EAGAIN)

/* --- libcurl --- */

static struct curl_functions real;

static CURL *easy_init(void)
{
    return fault_hit() ? NULL : real.easy_init();
}

/* What is copied can fail for lack of memory. Numbers and pointers have the same size here. */
static CURLcode easy_setopt(CURL *easy, CURLoption option, ...)
{
    va_list ap;
    va_start(ap, option);
    void *value = va_arg(ap, void *);
    va_end(ap);
    bool copied =
        value && (option == CURLOPT_URL || option == CURLOPT_CUSTOMREQUEST || option == CURLOPT_HTTPHEADER ||
                  option == CURLOPT_USERAGENT || option == CURLOPT_PROTOCOLS_STR ||
                  option == CURLOPT_CAINFO || option == CURLOPT_POSTFIELDS);
    return copied && fault_hit() ? CURLE_OUT_OF_MEMORY : real.easy_setopt(easy, option, value);
}

static CURLM *multi_init(void)
{
    return fault_hit() ? NULL : real.multi_init();
}

static CURLMcode multi_add_handle(CURLM *multi, CURL *easy)
{
    return fault_hit() ? CURLM_OUT_OF_MEMORY : real.multi_add_handle(multi, easy);
}

static struct curl_slist *slist_append(struct curl_slist *list, const char *line)
{
    return fault_hit() ? NULL : real.slist_append(list, line);
}

void calls_of_libcurl(void)
{
    CHECK_OK(curl_load(&test_err));
    real = curl;
    curl.easy_init = easy_init;
    curl.easy_setopt = easy_setopt;
    curl.multi_init = multi_init;
    curl.multi_add_handle = multi_add_handle;
    curl.slist_append = slist_append;
}
