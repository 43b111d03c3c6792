/* cli/command.h - a command is a row: its words, options, operands, examples and the document it prints.
 *
 * The parser, --help, completion, man pages and docs/commands.md are all made from that row, so that none of
 * them can differ from the others. A new command needs a row, a function, and a line in cli/commands.c. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <jansson.h>

#include "cli/cli.h"
#include "util/arena.h"

struct format;

enum cli_kind {
    CLI_FLAG,    /* bool */
    CLI_TEXT,    /* const char *; NULL: not given */
    CLI_FILE,    /* the same, and shells complete it with files */
    CLI_NUMBER,  /* uint64_t, at most @max (0: no bound) */
    CLI_SIZE,    /* uint64_t in bytes; "64k", "16MiB", "2G" in powers of 1024 */
    CLI_CHOICE,  /* int: which of the words in @value, "text|json", from 0 on */
    CLI_WORDS,   /* struct cli_words: may be given again and again */
    CLI_SETTING, /* one of berth.yaml's: taken by cli_take_setting() */
};

struct cli_option {
    const char *name; /* "accept" is --accept; NULL ends a table */
    enum cli_kind kind;
    const char
        *value; /* what stands for its value in texts, "FILE", and says its form: cli/forms.h; NULL: a flag */
    const char *help; /* what it does, and its default in brackets; no full stop */
    size_t at;        /* offset of its value in the command's state */
    char letter;      /* 'o': -o means the same; 0: none */
    uint64_t max;
    bool per_host; /* may stand in the file of settings by host: cli/hosts.h */
};

/* An option that was given. */
struct cli_given {
    const struct cli_option *option;
    const char *text; /* as it was given; "true" for a flag */
    bool alone;       /* others that it excludes may stand beside it */
};

struct cli_words {
    const char **p;
    size_t n;
};

/* A value in the document that --output json prints: "layers[].size", "number", "bytes of the layer". */
struct cli_field {
    const char *path; /* NULL ends a table */
    const char *type, *meaning;
};

struct cli_example {
    const char *command; /* "berth ping localhost:5000"; NULL ends a table */
    const char *meaning; /* NULL: speaks for itself */
};

/* What a command takes beside its own options. */
enum {
    CLI_OUTPUT = 1,         /* --output, --format, --quiet, --no-progress */
    CLI_REGISTRY = 4,       /* those of cli/remote.h: its state begins with a struct remote */
    CLI_SETTINGS = 8,       /* every setting of berth.yaml */
    CLI_LAYOUT = 16,        /* its reference may be "oci:PATH": an image layout on disk */
    CLI_ASKS = 64,          /* for a user name and a password that are not given */
    CLI_EVERY_SETTING = 32, /* its help lists them all */
    CLI_HOST_SETTINGS =
        128, /* what may stand in the file of settings by host; its state as with CLI_REGISTRY */
};

/* What the first operand of a command on a registry has to name. */
enum cli_operand {
    CLI_OPERAND_NONE = 0,   /* the command looks itself */
    CLI_OPERAND_HOST,       /* "registry.example:5000" */
    CLI_OPERAND_PLACE,      /* the same, or a path on it: "registry.example:5000/team" */
    CLI_OPERAND_REPOSITORY, /* "registry.example:5000/team/app"; a tag is passed over */
    CLI_OPERAND_REFERENCE,  /* the same with ":tag" or "@digest"; none: ":latest" */
    CLI_OPERAND_DIGEST,     /* the same, with "@digest" alone */
};

struct cli_command {
    const char *name;     /* "tag list" */
    const char *summary;  /* for lists of commands: "list the tags of a repository" */
    const char *operands; /* "REF [FILE]"; "REF..." one or more; "": none */
    const char *text;     /* what it does, in sentences; "\n\n" parts paragraphs */
    const struct cli_option *options;
    const struct cli_example *examples;
    const struct cli_field *fields;
    unsigned takes;
    enum cli_operand operand;
    int (*run)(const struct cli_command *c, int argc, char **argv); /* argv[0]: the last of its words */
};

/* The words before it: "tag", of "tag list" and "tag add". */
struct cli_family {
    const char *name, *summary;
};

/* What an exit code means. */
struct cli_exit {
    int code;
    const char *meaning; /* NULL ends the table */
};

extern const struct cli_exit cli_exits[];
extern const struct cli_command *const cli_commands[]; /* NULL ends them */
extern const struct cli_family cli_families[];         /* a name of NULL ends them */

/* The options that every command has by what it takes; @i counts from 0. NULL: no more. */
const struct cli_option *cli_shared_options(const struct cli_command *c, size_t i);

/* The @i-th option of a command: its own, then those. */
const struct cli_option *cli_option_at(const struct cli_command *c, size_t i);

/* What the options that stand together are for, as a heading: "Reaching the registry"; NULL: for the command
 * alone. */
const char *cli_option_title(const struct cli_option *o);

enum { CLI_OUTPUT_TEXT, CLI_OUTPUT_JSON };

/* What every command's state begins with. */
struct cli_base {
    bool help, quiet, no_progress, debug;
    int output;           /* CLI_OUTPUT_TEXT or CLI_OUTPUT_JSON */
    const char *template; /* --format; NULL: none */
    struct format *format;
    const char **operands;
    size_t n_operands;
    struct cli_given *given;
    size_t n_given;
    struct cli_settings settings;
    berth_arena arena; /* for what options and operands are made of */
};

/* Reads the command line into @state, which begins with a struct cli_base and has its defaults already. -1:
 * go on; else the exit code, after saying what is wrong or printing the help. */
int cli_read(const struct cli_command *c, int argc, char **argv, struct cli_base *state);
void cli_base_done(struct cli_base *b);

/* Whether @text is a value of the option. BERTH_E_INVALID: what is wrong with it, to be put behind its name.
 * A flag is "true" or "false". */
int cli_option_check(const struct cli_option *o, const char *text, berth_error *err);
/* Sets it in @b; of CLI_WORDS one more. @text is lent. */
int cli_option_set(const struct cli_option *o, const char *text, struct cli_base *b, berth_error *err);
/* Whether its value names a file or a folder. */
bool cli_option_is_path(const struct cli_option *o);

/* For CLEANUP of a state that holds nothing else to be freed. */
static inline void cli_base_donep(struct cli_base **b)
{
    cli_base_done(*b);
}

/* Whether text for people is wanted. */
static inline bool cli_wants_text(const struct cli_base *b)
{
    return b->output == CLI_OUTPUT_TEXT && !b->format;
}

/* Whether what failed, of several, has a document too: with --output json, and where the template asks for
 * .error. */
bool cli_wants_failures(const struct cli_base *b);

/* Prints @document, which it frees, as JSON or through the template, and flushes. Returns an exit code. NULL:
 * there was no memory for it. */
int cli_print(const struct cli_command *c, const struct cli_base *b, json_t *document);

/* The same for commands that have little to say: people get the text, as printf() prints it. */
int cli_tell(const struct cli_command *c, const struct cli_base *b, json_t *document, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* After a failed write with that errno to standard output: ends the program as SIGPIPE does if who reads has
 * gone. */
void cli_check_pipe(int error);

/* Flushes standard output; says so when not all of it could be written. Returns an exit code. */
int cli_printed(const struct cli_command *c);

void cli_help(const struct cli_command *c);
void cli_family_help(const struct cli_family *f);

/* The command whose words @argv begins with, and how many words those are; NULL: there is none. */
const struct cli_command *cli_find(int argc, const char *const *argv, int *ret_words);
const struct cli_family *cli_find_family(const char *name);
const struct cli_family *cli_family_of(const struct cli_command *c); /* NULL: it stands alone */

/* The one of @n words that @word may have been meant to be; NULL: none is near. */
const char *cli_nearest(const char *word, const char *const *words, size_t n);

#endif
