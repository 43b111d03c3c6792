/* cli/cli.h - what the commands share: exit codes, how errors are said, settings as flags. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "daemon/config.h"

/* Exit codes tell causes apart; cli/commands.c has their table. */
enum {
    EXIT_OK = 0,
    EXIT_FAILED = 1,        /* it was tried and went wrong */
    EXIT_USAGE = 2,         /* the command line makes no sense */
    EXIT_CONFIG = 3,        /* the configuration is not valid */
    EXIT_NOT_FOUND = 4,     /* no such folder, file, server */
    EXIT_BUSY = 5,          /* another process has it, or runs it */
    EXIT_PROBLEMS = 6,      /* it ran, and found something wrong */
    EXIT_DENIED = 7,        /* a registry wants other credentials, or does not allow it */
    EXIT_NETWORK = 8,       /* a registry can't be reached, or broke off */
    EXIT_DIGEST = 9,        /* what came is not what its digest says */
    EXIT_INTERRUPTED = 130, /* what a shell makes of SIGINT */
};

int cli_exit_code(int berth_code);
/* "berth COMMAND: …" on standard error, as a line; without a command "berth: …". Names and passwords before
 * hosts in the process's arguments and environment are hidden in it, whatever text repeats them. */
void cli_hide_arguments(char **argv); /* of the process, up to a NULL; lent */
void cli_say(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int cli_fail(const char *command, const berth_error *err); /* prints the sentence; returns its exit code */
int cli_usage(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* --- the settings on the command line --- */
struct cli_settings {
    const char *path;   /* --config FILE, or BERTH_CONFIG; NULL: none */
    const char **flags; /* "http.prefix=/x", for config_load() */
    size_t n_flags;
    char **owned; /* the same, to be freed */
};
void cli_settings_done(struct cli_settings *s);

/* If argv[*i] is a setting (--data, --http-prefix=…), takes it and its value, moves *i and returns 1; 0: not
 * one; -1: said what is wrong. */
int cli_take_setting(struct cli_settings *s, const char *command, int argc, char **argv, int *i);

#endif
