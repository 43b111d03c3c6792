/* berth/error.h - how every fallible call of berth reports failure.
 *
 * A negative code for the program, one sentence for the person, the registry's own code for the protocol.
 * The value lives on the caller's stack: reporting an error needs no memory and no thread-local state. */
#ifndef BERTH_ERROR_H
#define BERTH_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#define BERTH_API __attribute__((visibility("default")))

/* What the initialisers of this library are made of: a value of @type whose members are what BERTH_SET()
 * says, in any order, and else zero. BERTH_INIT_HERE() may use the variables of the function it stands in.
 * For C, and for C++ from its version 11 on, which lacks C's notation. */
#ifdef __cplusplus
#define BERTH_SET(member, value)   berth_init_.member = (value)
#define BERTH_INIT(type, ...)      BERTH_INIT_BY_([], type, __VA_ARGS__)
#define BERTH_INIT_HERE(type, ...) BERTH_INIT_BY_([&], type, __VA_ARGS__)
#define BERTH_INIT_BY_(lambda, type, ...)                                                                    \
    (lambda()->type {                                                                                        \
        type berth_init_ = type();                                                                           \
        __VA_ARGS__;                                                                                         \
        return berth_init_;                                                                                  \
    }())
#else
#define BERTH_SET(member, value)   .member = (value)
#define BERTH_INIT_HERE(type, ...) BERTH_INIT(type, __VA_ARGS__)
#define BERTH_INIT(type, ...)                                                                                \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }
#endif

/* Numbers are never reused. */
typedef enum berth_code {
    BERTH_OK = 0,
    BERTH_E_NOMEM = -1,
    BERTH_E_INVALID = -2,
    BERTH_E_NOT_FOUND = -3,
    BERTH_E_EXISTS = -4,
    BERTH_E_DIGEST = -5,
    BERTH_E_UNAUTH = -6,
    BERTH_E_DENIED = -7,
    BERTH_E_CONFLICT = -8,
    BERTH_E_TOO_BIG = -9,
    BERTH_E_IO = -10,
    BERTH_E_NETWORK = -11,
    BERTH_E_RANGE = -12,       /* an offset that does not fit what is held */
    BERTH_E_UNSUPPORTED = -13, /* switched off, or never offered */
    BERTH_E_BUSY = -14,        /* try again shortly */
    BERTH_E_NO_SPACE = -15,    /* the store is full; reads go on */
    BERTH_E_CORRUPT = -16,     /* stored bytes or rows contradict each other */
    BERTH_E_CANCELLED = -17,   /* the peer left, or the server is stopping */
    BERTH_E_CONDITION = -18,   /* what stands there is not what the request demands */
} berth_code;

typedef struct berth_error {
    int code;          /* a berth_code */
    int http_status;   /* 0: not yet decided; registry/errors.c maps @code */
    char oci_code[32]; /* "MANIFEST_UNKNOWN", or "" */
    char message[256]; /* one sentence; never a secret */
} berth_error;

#define BERTH_ERROR_INIT BERTH_INIT(berth_error, BERTH_SET(code, BERTH_OK))

/* Records and returns @code. @err may be NULL. A message that does not fit is cut. */
BERTH_API int berth_error_set(berth_error *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, with the registry's code ("NAME_INVALID") beside ours. */
BERTH_API int berth_error_set_oci(berth_error *err, int code, const char *oci_code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts "<prefix>: " before the message of an error on its way up; returns its code. */
BERTH_API int berth_error_prefix(berth_error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif
#endif
