/* berth/server.h - a registry inside your own process: for tests that want a real one, and for programs that
 * bring their own. Thread-safe: any thread may start and stop servers, several at once.
 *
 * Link with `pkg-config --cflags --libs berth-server`. The library changes neither signals nor the
 * environment; it logs errors alone, to standard error. */
#ifndef BERTH_SERVER_H
#define BERTH_SERVER_H

#include <stddef.h>

#include <berth/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct berth_server berth_server; /* opaque: may grow freely */

typedef struct berth_server_options {
    size_t size;        /* set by the initialiser; lets old callers keep working */
    const char *data;   /* folder, as `berth serve --data` takes it; NULL: in memory, gone with the server */
    const char *listen; /* address, as `berth serve --listen` takes it; NULL: a free port of 127.0.0.1 */
    const char *config; /* YAML file of further settings; NULL: none */
} berth_server_options;
#define BERTH_SERVER_OPTIONS_INIT                                                                            \
    BERTH_INIT(berth_server_options, BERTH_SET(size, sizeof(berth_server_options)))

/**
 * Start a registry that listens when this returns. @opts may be NULL and is copied.
 * On success *@ret_server belongs to the caller: berth_server_stop().
 * Returns BERTH_OK or a negative berth_code (BERTH_E_BUSY: another process owns the folder); @err, if not
 * NULL, says why, and *@ret_server is untouched.
 */
BERTH_API int berth_server_start(const berth_server_options *opts, berth_server **ret_server,
                                 berth_error *err);

/** Where it listens: "http://127.0.0.1:43211". Lent until berth_server_stop(). */
BERTH_API const char *berth_server_url(const berth_server *server);

/** Finish what runs, within the setting http.stop_timeout, and free the server. NULL is fine. */
BERTH_API void berth_server_stop(berth_server *server);

#ifdef __cplusplus
}
#endif
#endif
