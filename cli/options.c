/* Parsing by the table; see options.h. */
#include "cli/options.h"

const char *cli_nearest(const char *word, const char *const *names, size_t count, size_t step) {
    const char *nearest = NULL;
    size_t best = strlen(word) / 3 + 2;
    for (size_t i = 0; i < count; i++) {
        const char *name = *(const char *const *)((const char *)names + i * step);
        size_t distance = core_text_distance(word, name);
        if (distance >= best)
            continue;
        best = distance;
        nearest = name;
    }
    return nearest;
}

typedef struct {
    const cli_option *options;
    size_t option_count;
    int argc;
    char *const *argv;
    int next;
    cli_arguments *arguments;
    core_error *error;
} options_parser;

static bool option_unknown(const options_parser *parser, const char *word, size_t length) {
    char name[CORE_DISTANCE_TEXT_MAX] = "";
    const char *nearest = NULL;
    if (core_slice_to_text(core_slice_make(word, length), name, sizeof name) &&
        parser->option_count > 0)
        nearest = cli_nearest(name, &parser->options[0].name, parser->option_count,
                              sizeof parser->options[0]);
    return core_error_set(parser->error, CORE_ERROR_INPUT, "unknown option %.*s%s%s%s", (int)length,
                          word, nearest != NULL ? "; did you mean " : "",
                          nearest != NULL ? nearest : "", nearest != NULL ? "?" : "");
}

static const cli_option *option_find(const options_parser *parser, const char *word,
                                     size_t length) {
    core_slice name = core_slice_make(word, length);
    for (size_t i = 0; i < parser->option_count; i++)
        if (core_slice_is(name, parser->options[i].name))
            return &parser->options[i];
    return NULL;
}

static bool option_keep(options_parser *parser, const cli_option *option, const char *value) {
    cli_arguments *arguments = parser->arguments;
    for (size_t i = 0; i < arguments->count && !option->repeats; i++)
        if (arguments->given[i].option == option)
            return core_error_set(parser->error, CORE_ERROR_INPUT, "%s is given twice",
                                  option->name);
    if (arguments->count == CLI_GIVEN_MAX)
        return core_error_set(parser->error, CORE_ERROR_INPUT, "more than %d options",
                              CLI_GIVEN_MAX);
    arguments->given[arguments->count++] = (cli_given){.option = option, .value = value};
    return true;
}

static bool option_take(options_parser *parser, const char *word) {
    size_t length = strcspn(word, "=");
    const char *attached = word[length] == '=' ? word + length + 1 : NULL;
    const cli_option *option = option_find(parser, word, length);
    if (option == NULL)
        return option_unknown(parser, word, length);
    if (option->value == NULL) {
        if (attached != NULL)
            return core_error_set(parser->error, CORE_ERROR_INPUT, "%s takes no value",
                                  option->name);
        return option_keep(parser, option, NULL);
    }
    if (attached == NULL && parser->next == parser->argc)
        return core_error_set(parser->error, CORE_ERROR_INPUT, "%s needs a value: %s %s",
                              option->name, option->name, option->value);
    return option_keep(parser, option, attached ? attached : parser->argv[parser->next++]);
}

static bool operand_take(options_parser *parser, unsigned operands, const char *word) {
    cli_arguments *arguments = parser->arguments;
    if (arguments->operand_count >= operands)
        return core_error_set(parser->error, CORE_ERROR_INPUT, "unexpected argument \"%s\"", word);
    arguments->operands[arguments->operand_count++] = word;
    if (arguments->operand_count == 1)
        arguments->operand = word;
    if (arguments->operand_count == 2)
        arguments->second_operand = word;
    return true;
}

static bool required_check(const options_parser *parser) {
    for (size_t i = 0; i < parser->option_count; i++) {
        const cli_option *option = &parser->options[i];
        if (option->required && cli_value(parser->arguments, option->name) == NULL)
            return core_error_set(parser->error, CORE_ERROR_INPUT, "%s %s is missing", option->name,
                                  option->value);
    }
    return true;
}

bool cli_options_parse(const cli_option *options, size_t option_count, unsigned operands, int argc,
                       char *const *argv, cli_arguments *arguments, core_error *error) {
    options_parser parser = {options, option_count, argc, argv, 0, arguments, error};
    bool ended = false;
    *arguments = (cli_arguments){.count = 0};
    while (parser.next < argc) {
        const char *word = argv[parser.next++];
        if (!ended && strcmp(word, "--") == 0)
            ended = true;
        else if (!ended && word[0] == '-' && word[1] != '\0') {
            if (!option_take(&parser, word))
                return false;
        } else if (!operand_take(&parser, operands, word))
            return false;
    }
    return required_check(&parser);
}

const char *cli_value(const cli_arguments *arguments, const char *name) {
    for (size_t i = arguments->count; i > 0; i--)
        if (strcmp(arguments->given[i - 1].option->name, name) == 0)
            return arguments->given[i - 1].value;
    return NULL;
}

bool cli_flag(const cli_arguments *arguments, const char *name) {
    for (size_t i = 0; i < arguments->count; i++)
        if (strcmp(arguments->given[i].option->name, name) == 0)
            return true;
    return false;
}
