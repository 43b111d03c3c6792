/* cli/completion.c - `berth completion bash|zsh|fish`: scripts made of the rows of all commands. */
#include <stdio.h>

#include "cli/commands.h"

/* Whether an operand of this command is a file or a folder. */
static bool takes_files(const struct cli_command *c)
{
    return strstr(c->operands, "FILE") || strstr(c->operands, "DIR") || strstr(c->operands, "PATH");
}

/* Words that an operand is one of: "on|off". NULL: none. */
static const char *operand_words(const struct cli_command *c)
{
    return strchr(c->operands, '|') && !strpbrk(c->operands, "[ABCDEFGHIJKLMNOPQRSTUVWXYZ") ? c->operands
                                                                                            : NULL;
}

/* "text|json" with blanks instead. */
static void print_words(const char *choices)
{
    for (const char *at = choices; *at; at++)
        putchar(*at == '|' ? ' ' : *at);
}

/* Text between single quotes, where @extra letters get a backslash. */
static void print_quoted(const char *text, const char *extra)
{
    for (const char *at = text; *at; at++)
        if (*at == '\'')
            printf("'\\''");
        else
            printf("%s%c", strchr(extra, *at) ? "\\" : "", *at);
}

/* The first words: commands that stand alone, and families, each once. */
static void each_first_word(void (*print)(const char *name, const char *summary))
{
    const struct cli_family *last = NULL;
    for (size_t i = 0; cli_commands[i]; i++) {
        const struct cli_family *family = cli_family_of(cli_commands[i]);
        if (!family || family != last)
            print(family ? family->name : cli_commands[i]->name,
                  family ? family->summary : cli_commands[i]->summary);
        last = family;
    }
}

/* The flags of all settings, without "--", for a command that takes them; those of its row come by that. */
static void each_setting(const struct cli_command *c,
                         void (*print)(const struct cli_command *c, berth_str flag))
{
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(MIB);
    if (!(c->takes & CLI_EVERY_SETTING))
        return;
    config_document_flags(&text);
    berth_str left = berth_buf_str(&text), line, flag, rest;
    while (left.n) {
        const struct cli_option *o;
        bool own = false;
        str_cut(left, '\n', &line, &left);
        str_cut(str_trim(line), ' ', &flag, &rest);
        if (!str_starts(flag, STR("--")))
            continue;
        str_cut(str_from_offset(flag, 2), '=', &flag, &rest); /* "--x=true|false" */
        for (size_t i = 0; (o = cli_option_at(c, i)); i++)
            own = own || str_eq(flag, str_from(o->name));
        if (!own)
            print(c, flag);
    }
}

/* Whether its operands are the words of another command: `berth help tag`. */
static bool takes_commands(const struct cli_command *c)
{
    return strstr(c->operands, "COMMAND");
}

/* Before a command stand options that commands share, as main() takes them: what is typed there is completed
 * like the line of a command without a name, whose operand is one. */
static const struct cli_command nameless = {
    .name = "", .operands = "COMMAND", .takes = ~(unsigned)CLI_EVERY_SETTING};

/* The shared options that have a value, as patterns of a shell's `case` have them. */
static void print_valued(const char *between)
{
    const struct cli_option *o;
    const char *lead = "";
    for (size_t i = 0; (o = cli_shared_options(&nameless, i)); i++) {
        if (!o->value)
            continue;
        printf("%s--%s", lead, o->name);
        lead = between;
        if (o->letter)
            printf("%s-%c", lead, o->letter);
    }
}

static const char *second_word(const struct cli_command *c)
{
    return strchr(c->name, ' ') + 1;
}

/* --- bash --- */

static void bash_word(const char *name, const char *summary)
{
    (void)summary;
    printf(" %s", name);
}

static void bash_setting(const struct cli_command *c, berth_str flag)
{
    (void)c;
    printf(" --" STR_FMT, STR_ARG(flag));
}

static void bash_options(const struct cli_command *c)
{
    const struct cli_option *o;
    printf("    '%s')\n        case $prev in\n", c->name);
    for (size_t i = 0; (o = cli_option_at(c, i)); i++) {
        if (!o->value)
            continue;
        printf("        --%s", o->name);
        if (o->letter)
            printf("|-%c", o->letter);
        if (o->kind == CLI_CHOICE) {
            printf(") words='");
            print_words(o->value);
            printf("' ;;\n");
        } else {
            printf(") files=%d ;;\n", cli_option_is_path(o));
        }
    }
    printf("        *)\n            words='");
    for (size_t i = 0; (o = cli_option_at(c, i)); i++)
        printf("%s--%s", i ? " " : "", o->name);
    each_setting(c, bash_setting);
    printf("'\n            [[ $cur == -* ]] || { words='");
    if (operand_words(c))
        print_words(operand_words(c));
    if (takes_commands(c))
        each_first_word(bash_word);
    printf("'; files=%d; }\n            ;;\n        esac ;;\n", takes_files(c));
}

static void print_bash(void)
{
    printf("# bash completion for berth; made by `berth completion bash`\n"
           "_berth()\n{\n"
           "    local line=${COMP_LINE:0:COMP_POINT} cur prev command about='' words='' files=0\n"
           "    local -i skip=1\n"
           "    local -a typed\n"
           "    read -ra typed <<<\"$line\"\n"
           "    [[ $line == *[[:space:]] ]] && typed+=('')\n"
           "    cur=${typed[${#typed[@]}-1]} prev=${typed[${#typed[@]}-2]}\n"
           "    if [[ $cur == --*=* ]]; then\n"
           "        prev=${cur%%%%=*} cur=${cur#*=}\n"
           "    fi\n"
           "    COMPREPLY=()\n"
           "    while ((skip < ${#typed[@]} - 1)) && [[ ${typed[skip]} == -* ]]; do\n"
           "        case ${typed[skip]} in\n"
           "        ");
    print_valued("|");
    printf(") skip+=2 ;;\n"
           "        *) skip+=1 ;;\n"
           "        esac\n"
           "    done\n"
           "    [[ ${typed[skip]-} != help ]] || ((${#typed[@]} - skip < 3)) || about=help skip+=1\n"
           "    typed=(berth \"${typed[@]:skip}\")\n"
           "    command=${typed[1]-}\n"
           "    if ((${#typed[@]} <= 2)); then\n"
           "        command=''\n"
           "    else\n        case $command in\n");
    for (const struct cli_family *f = cli_families; f->name; f++) {
        printf("        %s)\n            if ((${#typed[@]} == 3)); then\n                words='", f->name);
        for (size_t i = 0; cli_commands[i]; i++)
            if (cli_family_of(cli_commands[i]) == f)
                printf(" %s", second_word(cli_commands[i]));
        printf("'\n            fi\n            command=\"$command ${typed[2]}\" ;;\n");
    }
    printf("        esac\n    fi\n    case $about$command in\n");
    bash_options(&nameless);
    for (size_t i = 0; cli_commands[i]; i++)
        bash_options(cli_commands[i]);
    printf("    esac\n"
           "    if ((files)); then\n"
           "        compopt -o filenames 2>/dev/null\n"
           "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
           "    else\n"
           "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
           "    fi\n"
           "}\ncomplete -F _berth berth\n");
}

/* --- zsh --- */

static void zsh_word(const char *name, const char *summary)
{
    printf("        '%s:", name);
    print_quoted(summary, ":\\");
    printf("'\n");
}

static void zsh_option(const struct cli_option *o)
{
    printf("            ");
    const char *repeated = o->kind == CLI_WORDS || o->kind == CLI_SETTING ? "*" : "";
    if (o->letter)
        printf("'(-%c --%s)'{-%c%s,--%s%s}'[", o->letter, o->name, o->letter, o->value ? "+" : "", o->name,
               o->value ? "=" : "");
    else
        printf("'%s--%s%s[", repeated, o->name, o->value ? "=" : "");
    print_quoted(o->help, "[]:\\");
    printf("]");
    if (o->value && o->kind == CLI_CHOICE) {
        printf(":%s:(", o->name);
        print_words(o->value);
        printf(")");
    } else if (o->value) {
        printf(":");
        print_quoted(o->value, ":\\");
        printf(":%s", cli_option_is_path(o) ? "_files" : "");
    }
    printf("'\n");
}

static void zsh_setting(const struct cli_command *c, berth_str flag)
{
    (void)c;
    printf("            '*--" STR_FMT "=[a setting]:value: '\n", STR_ARG(flag));
}

static void zsh_operand(const char *name, const char *summary)
{
    (void)summary;
    printf("%s ", name);
}

static void zsh_options(const struct cli_command *c)
{
    const struct cli_option *o;
    printf("    '%s')\n        arguments=(\n", c->name);
    for (size_t i = 0; (o = cli_option_at(c, i)); i++)
        zsh_option(o);
    each_setting(c, zsh_setting);
    printf("            '*:");
    print_quoted(*c->operands ? c->operands : "no more", ":\\");
    printf(":");
    if (operand_words(c)) {
        printf("(");
        print_words(operand_words(c));
        printf(")");
    } else if (takes_commands(c)) {
        printf("(");
        each_first_word(zsh_operand);
        printf(")");
    } else {
        printf("%s", takes_files(c) ? "_files" : " ");
    }
    printf("'\n        ) ;;\n");
}

static void print_zsh(void)
{
    const struct cli_option *o;
    printf("#compdef berth\n# zsh completion for berth; made by `berth completion zsh`\n"
           "_berth()\n{\n"
           "    local command about skip\n"
           "    local -a commands arguments\n"
           "    while [[ CURRENT -gt 2 && $words[2] == -* ]]; do\n"
           "        case $words[2] in\n"
           "        (");
    print_valued("|");
    printf(") skip=2 ;;\n"
           "        (*) skip=1 ;;\n"
           "        esac\n"
           "        ((CURRENT - skip < 2)) && break\n"
           "        words=(\"$words[1]\" \"${(@)words[skip+2,-1]}\")\n"
           "        ((CURRENT -= skip))\n"
           "    done\n"
           "    if [[ CURRENT -gt 3 && $words[2] == help ]]; then\n"
           "        about=help\n"
           "        shift words\n"
           "        ((CURRENT--))\n"
           "    fi\n"
           "    command=$words[2]\n"
           "    if [[ $command == -* ]]; then\n"
           "        arguments=(\n");
    for (size_t i = 0; (o = cli_shared_options(&nameless, i)); i++)
        zsh_option(o);
    printf("        )\n"
           "        _arguments -S $arguments\n"
           "        return\n"
           "    fi\n"
           "    commands=(\n");
    each_first_word(zsh_word);
    printf("    )\n"
           "    if ((CURRENT == 2)); then\n"
           "        _describe -t commands command commands\n"
           "        return\n"
           "    fi\n"
           "    case $command in\n");
    for (const struct cli_family *f = cli_families; f->name; f++) {
        printf("    %s)\n        commands=(\n", f->name);
        for (size_t i = 0; cli_commands[i]; i++)
            if (cli_family_of(cli_commands[i]) == f)
                zsh_word(second_word(cli_commands[i]), cli_commands[i]->summary);
        printf("        )\n"
               "        if ((CURRENT == 3)); then\n"
               "            _describe -t commands command commands\n"
               "            return\n"
               "        fi\n"
               "        command=\"$command $words[3]\"\n"
               "        shift words\n"
               "        ((CURRENT--)) ;;\n");
    }
    printf("    esac\n    shift words\n    ((CURRENT--))\n    case $about$command in\n");
    for (size_t i = 0; cli_commands[i]; i++)
        zsh_options(cli_commands[i]);
    printf("    *) return 1 ;;\n"
           "    esac\n"
           "    _arguments -S $arguments\n"
           "}\n"
           "if [[ $funcstack[1] == _berth ]]; then\n"
           "    _berth \"$@\"\n"
           "else\n"
           "    compdef _berth berth\n"
           "fi\n");
}

/* --- fish --- */

static void fish_word(const char *name, const char *summary)
{
    printf("complete -c berth -n '__berth_has 1' -a %s -d '", name);
    print_quoted(summary, "");
    printf("'\n");
}

static void fish_option(const char *where, const char *words, const struct cli_option *o)
{
    printf("complete -c berth -n '%s %s' -l %s", where, words, o->name);
    if (o->letter)
        printf(" -s %c", o->letter);
    if (o->kind == CLI_CHOICE) {
        printf(" -x -a '");
        print_words(o->value);
        printf("'");
    } else if (o->value) {
        printf(cli_option_is_path(o) ? " -r -F" : " -x");
    }
    printf(" -d '");
    for (const char *at = o->help; *at; at++) /* fish knows \' inside quotes */
        printf("%s%c", *at == '\'' || *at == '\\' ? "\\" : "", *at);
    printf("'\n");
}

static void fish_setting(const struct cli_command *c, berth_str flag)
{
    printf("complete -c berth -n '__berth_in %s' -l " STR_FMT " -x -d 'a setting'\n", c->name, STR_ARG(flag));
}

static void fish_operand(const char *name, const char *summary)
{
    printf("complete -c berth -n '__berth_in help; and __berth_has 2' -a %s -d '", name);
    print_quoted(summary, "");
    printf("'\n");
}

/* A family's word, behind so many others. */
static void fish_member(const char *about, const struct cli_family *f, int behind,
                        const struct cli_command *c)
{
    printf("complete -c berth -n '__berth_in %s%s; and __berth_has %d' -a %s -d '", about, f->name, behind,
           second_word(c));
    print_quoted(c->summary, "");
    printf("'\n");
}

static void print_fish(void)
{
    const struct cli_option *shared;
    printf("# fish completion for berth; made by `berth completion fish`\n"
           "function __berth_typed # the words before the next, without options before the command\n"
           "    set -l typed (commandline -opc)\n"
           "    set -e typed[1]\n"
           "    while string match -q -- '-*' \"$typed[1]\"\n"
           "        contains -- $typed[1] ");
    print_valued(" ");
    printf("; and set -q typed[2]; and set -e typed[1]\n"
           "        set -e typed[1]\n"
           "    end\n"
           "    printf '%%s\\n' berth $typed\n"
           "end\n"
           "function __berth_has # so many words are there, and the next is being typed\n"
           "    test (count (__berth_typed)) -eq $argv[1]\n"
           "end\n"
           "function __berth_in # the words behind berth are these\n"
           "    set -l typed (__berth_typed)\n"
           "    set -l last (math (count $argv) + 1)\n"
           "    test (count $typed) -ge $last; and test \"$typed[2..$last]\" = \"$argv\"\n"
           "end\n"
           "complete -c berth -f\n");
    each_first_word(fish_word);
    for (size_t i = 0; (shared = cli_shared_options(&nameless, i)); i++)
        fish_option("__berth_has", "1", shared);
    for (size_t i = 0; cli_commands[i]; i++) {
        const struct cli_command *c = cli_commands[i];
        const struct cli_family *f = cli_family_of(c);
        const struct cli_option *o;
        if (f) {
            fish_member("", f, 2, c);
            fish_member("help ", f, 3, c);
        }
        for (size_t k = 0; (o = cli_option_at(c, k)); k++)
            fish_option("__berth_in", c->name, o);
        each_setting(c, fish_setting);
        if (takes_commands(c))
            each_first_word(fish_operand);
        if (operand_words(c)) {
            printf("complete -c berth -n '__berth_in %s' -a '", c->name);
            print_words(operand_words(c));
            printf("'\n");
        } else if (takes_files(c)) {
            printf("complete -c berth -n '__berth_in %s' -F\n", c->name);
        }
    }
}

/* --- the command --- */

static int run(const struct cli_command *c, int argc, char **argv)
{
    static const struct {
        const char *shell;
        void (*print)(void);
    } shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
    CLEANUP(cli_base_done) struct cli_base b = {0};
    int rc = cli_read(c, argc, argv, &b);
    if (rc >= 0)
        return rc;
    for (size_t i = 0; i < COUNT(shells); i++)
        if (strcmp(b.operands[0], shells[i].shell) == 0) {
            shells[i].print();
            return cli_printed(c);
        }
    return cli_usage(c->name, "there is completion for bash, zsh and fish, not for '%s'", b.operands[0]);
}

const struct cli_command cmd_completion = {
    .name = "completion",
    .summary = "print what makes a shell complete berth's commands and options",
    .operands = "bash|zsh|fish",
    .text =
        "Prints a script for a shell, which then completes commands, options and their values. `make "
        "install` "
        "puts all three where the shells look for them; elsewhere, have the shell read it when it starts.",
    .examples =
        (const struct cli_example[]){{"source <(berth completion bash)", "bash, in ~/.bashrc"},
                                     {"source <(berth completion zsh)", "zsh, in ~/.zshrc after compinit"},
                                     {"berth completion fish | source", "fish, in config.fish"},
                                     {0}},
    .run = run,
};
