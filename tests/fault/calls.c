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

/* The names are the linker's: it calls __wrap_x() for x(), and x() for __real_x(). meson.build tells it of
 * every WRAP…(x, …) that begins a line here. */
#define WRAPPER(name, type, params, args, failed, error)                                                     \
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
#define WRAP(name, type, params, args, error)         WRAPPER(name, type, params, args, -1, error)
#define WRAP_POINTER(name, type, params, args, error) WRAPPER(name, type, params, args, NULL, error)
#define WRAP_CODE(name, params, args, error)          WRAPPER(name, int, params, args, error, error)
#define WRAP_OPEN(name, params, args)                                                                        \
    int __real_##name params;                                                                                \
    int __wrap_##name params;                                                                                \
    int __wrap_##name params                                                                                 \
    {                                                                                                        \
        va_list ap;                                                                                          \
        va_start(ap, flags);                                                                                 \
        mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;                                              \
        va_end(ap);                                                                                          \
        if (fault_hit()) {                                                                                   \
            errno = EMFILE;                                                                                  \
            return -1;                                                                                       \
        }                                                                                                    \
        return __real_##name args;                                                                           \
    }

/* --- memory --- */

WRAP_POINTER(malloc, void *, (size_t n), (n), ENOMEM)
WRAP_POINTER(calloc, void *, (size_t n, size_t size), (n, size), ENOMEM)
WRAP_POINTER(realloc, void *, (void *p, size_t n), (p, n), ENOMEM)
WRAP_POINTER(realpath, char *, (const char *path, char *out), (path, out), ENOMEM)

/* --- files --- */

WRAP(read, ssize_t, (int fd, void *p, size_t n), (fd, p, n), EIO)
WRAP(pread64, ssize_t, (int fd, void *p, size_t n, off_t at), (fd, p, n, at), EIO)
WRAP(pwrite64, ssize_t, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at), ENOSPC)
WRAP(write, ssize_t, (int fd, const void *p, size_t n), (fd, p, n), ENOSPC)
WRAP(lseek64, off_t, (int fd, off_t to, int whence), (fd, to, whence), EIO)
WRAP(fsync, int, (int fd), (fd), EIO)
WRAP(fdatasync, int, (int fd), (fd), EIO)
WRAP(ftruncate64, int, (int fd, off_t size), (fd, size), EIO)
WRAP(fchmod, int, (int fd, mode_t mode), (fd, mode), EPERM)
WRAP(fstat64, int, (int fd, struct stat *st), (fd, st), EIO)
WRAP(stat64, int, (const char *path, struct stat *st), (path, st), EACCES)
WRAP(lstat64, int, (const char *path, struct stat *st), (path, st), EACCES)
WRAP(fstatat64, int, (int fd, const char *path, struct stat *st, int flags), (fd, path, st, flags), EACCES)
WRAP(flock, int, (int fd, int what), (fd, what), EIO)
WRAP(rename, int, (const char *from, const char *to), (from, to), EIO)
WRAP(renameat, int, (int a, const char *from, int b, const char *to), (a, from, b, to), EIO)
WRAP(linkat, int, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags), EIO)
WRAP(mkdir, int, (const char *path, mode_t mode), (path, mode), EACCES)
WRAP(mkdirat, int, (int fd, const char *path, mode_t mode), (fd, path, mode), EACCES)
WRAP(fsetxattr, int, (int fd, const char *name, const void *p, size_t n, int flags), (fd, name, p, n, flags),
     ENOTSUP)
WRAP(fgetxattr, ssize_t, (int fd, const char *name, void *p, size_t n), (fd, name, p, n), ENOTSUP)
WRAP_POINTER(opendir, DIR *, (const char *path), (path), EACCES)
WRAP_OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
WRAP_OPEN(openat64, (int fd, const char *path, int flags, ...), (fd, path, flags, mode))

/* --- events, processes, threads --- */

WRAP(epoll_create1, int, (int flags), (flags), EMFILE)
WRAP(epoll_ctl, int, (int e, int what, int fd, struct epoll_event *event), (e, what, fd, event), ENOMEM)
WRAP(timerfd_create, int, (int clock, int flags), (clock, flags), EMFILE)
WRAP(eventfd, int, (unsigned value, int flags), (value, flags), EMFILE)
WRAP(pipe2, int, (int *fds, int flags), (fds, flags), EMFILE)
WRAP(memfd_create, int, (const char *name, unsigned flags), (name, flags), EMFILE)
WRAP_CODE(pthread_mutex_init, (pthread_mutex_t * m, const pthread_mutexattr_t *a), (m, a), ENOMEM)
WRAP_CODE(pthread_cond_init, (pthread_cond_t * c, const pthread_condattr_t *a), (c, a), ENOMEM)
WRAP_CODE(posix_spawnattr_init, (posix_spawnattr_t * a), (a), ENOMEM)
WRAP_CODE(posix_spawn_file_actions_init, (posix_spawn_file_actions_t * a), (a), ENOMEM)
WRAP_CODE(posix_spawn_file_actions_adddup2, (posix_spawn_file_actions_t * a, int from, int to), (a, from, to),
          ENOMEM)
WRAP_CODE(posix_spawnp,
          (pid_t * pid, const char *file, const posix_spawn_file_actions_t *actions,
           const posix_spawnattr_t *attributes, char *const argv[], char *const env[]),
          (pid, file, actions, attributes, argv, env), EAGAIN)

/* --- libcurl --- */

static struct curl_functions real;

#define FAILING(name, type, params, args, failed)                                                            \
    static type name params                                                                                  \
    {                                                                                                        \
        return fault_hit() ? failed : real.name args;                                                        \
    }

FAILING(easy_init, CURL *, (void), (), NULL)
FAILING(multi_init, CURLM *, (void), (), NULL)
FAILING(multi_add_handle, CURLMcode, (CURLM * multi, CURL *easy), (multi, easy), CURLM_OUT_OF_MEMORY)
FAILING(slist_append, struct curl_slist *, (struct curl_slist * list, const char *line), (list, line), NULL)

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
