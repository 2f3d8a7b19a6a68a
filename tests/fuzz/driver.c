/* Runs a libFuzzer target without libFuzzer, so that every compiler's build can run it.
 *
 *     fuzz_NAME -runs=N -seed=S CORPUS_DIR
 *
 * Feeds each file of the corpus as it is, then N inputs, each made from a corpus file by a few
 * seeded edits (flip, overwrite, insert, remove, repeat, truncate, splice with another file).
 * The same arguments always give the same inputs. Each input is handed over in a heap block of
 * exactly its size, so that a sanitizer sees the first byte read beyond it. A crash is the
 * sanitizer's report or a signal; on one, the run number says which input it was.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INPUT_MAX_BYTES = 16384, CORPUS_MAX_FILES = 1024, EDITS_MAX = 8 };

typedef struct {
    size_t size;
    uint8_t bytes[INPUT_MAX_BYTES];
} fuzz_input;

typedef struct {
    fuzz_input *files;
    size_t count;
} fuzz_corpus;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Only for the report from the signal handler. */
static volatile unsigned long current_run;

/* xorshift64*: small, seeded, the same everywhere. */
static uint64_t random_next(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1Dull;
}

static size_t random_below(uint64_t *state, size_t limit) {
    return limit == 0 ? 0 : (size_t)((random_next(state) >> 16) % limit);
}

static void report_run(int signal_number) {
    char line[96];
    int length =
        snprintf(line, sizeof line, "fuzz: signal %d in run %lu\n", signal_number, current_run);
    if (length > 0 && write(STDERR_FILENO, line, (size_t)length) < 0)
        _exit(2);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static bool corpus_add(fuzz_corpus *corpus, const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    fuzz_input *input = &corpus->files[corpus->count];
    input->size = fread(input->bytes, 1, sizeof input->bytes, file);
    bool whole = !ferror(file);
    fclose(file);
    corpus->count += whole ? 1 : 0;
    return whole;
}

static int by_name(const struct dirent **left, const struct dirent **right) {
    return strcmp((*left)->d_name, (*right)->d_name);
}

/* Sorted by name: the order of a directory must not change what a seed means. */
static bool corpus_load(fuzz_corpus *corpus, const char *directory) {
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, NULL, by_name);
    bool ok = count >= 0;
    for (int i = 0; i < count; i++) {
        char path[4096];
        int length = snprintf(path, sizeof path, "%s/%s", directory, entries[i]->d_name);
        if (ok && entries[i]->d_name[0] != '.' && corpus->count < CORPUS_MAX_FILES)
            ok = length > 0 && (size_t)length < sizeof path && corpus_add(corpus, path);
        free(entries[i]);
    }
    free(entries);
    return ok;
}

static void input_overwrite(fuzz_input *input, uint64_t *state) {
    static const uint8_t edges[] = {0x00, 0x01, 0x7F, 0x80, 0xFF, '"', '{', '.'};
    size_t at = random_below(state, input->size);
    size_t run = 1 + random_below(state, 4);
    uint8_t value = random_next(state) & 1 ? edges[random_below(state, sizeof edges)]
                                           : (uint8_t)random_next(state);
    for (size_t i = at; i < input->size && i < at + run; i++)
        input->bytes[i] = value;
}

static void input_insert(fuzz_input *input, const uint8_t *bytes, size_t size, uint64_t *state) {
    size_t at = random_below(state, input->size + 1);
    if (size > INPUT_MAX_BYTES - input->size)
        size = INPUT_MAX_BYTES - input->size;
    memmove(input->bytes + at + size, input->bytes + at, input->size - at);
    memcpy(input->bytes + at, bytes, size);
    input->size += size;
}

static void input_remove(fuzz_input *input, uint64_t *state) {
    size_t at = random_below(state, input->size);
    size_t run = 1 + random_below(state, input->size - at);
    memmove(input->bytes + at, input->bytes + at + run, input->size - at - run);
    input->size -= run;
}

static void input_edit(fuzz_input *input, const fuzz_corpus *corpus, uint64_t *state) {
    uint8_t fresh[64];
    for (size_t i = 0; i < sizeof fresh; i++)
        fresh[i] = (uint8_t)random_next(state);
    size_t choice = input->size == 0 ? 3 : random_below(state, 7);
    const fuzz_input *other = &corpus->files[random_below(state, corpus->count)];
    size_t from = random_below(state, other->size + 1);
    switch (choice) {
    case 0:
        input->bytes[random_below(state, input->size)] ^= (uint8_t)(1u << random_below(state, 8));
        break;
    case 1:
        input_overwrite(input, state);
        break;
    case 2:
        input_remove(input, state);
        break;
    case 3:
        input_insert(input, fresh, 1 + random_below(state, sizeof fresh), state);
        break;
    case 4:
        input->size = random_below(state, input->size);
        break;
    case 5:
        input_insert(input, other->bytes + from, random_below(state, other->size - from + 1),
                     state);
        break;
    default:
        input->bytes[random_below(state, input->size)] += (uint8_t)(random_below(state, 9) - 4);
        break;
    }
}

static bool input_feed(const fuzz_input *input) {
    uint8_t *exact = malloc(input->size == 0 ? 1 : input->size);
    if (exact == NULL)
        return false;
    memcpy(exact, input->bytes, input->size);
    LLVMFuzzerTestOneInput(exact, input->size);
    free(exact);
    return true;
}

static bool corpus_run(const fuzz_corpus *corpus, unsigned long runs, uint64_t state) {
    static fuzz_input input;
    for (size_t i = 0; i < corpus->count; i++)
        if (!input_feed(&corpus->files[i]))
            return false;
    for (current_run = 1; current_run <= runs; current_run++) {
        const fuzz_input *base = &corpus->files[random_below(&state, corpus->count)];
        input.size = base->size;
        memcpy(input.bytes, base->bytes, base->size);
        for (size_t edits = 1 + random_below(&state, EDITS_MAX); edits > 0; edits--)
            input_edit(&input, corpus, &state);
        if (!input_feed(&input))
            return false;
    }
    return true;
}

static bool argument_number(const char *argument, const char *name, unsigned long *value) {
    size_t length = strlen(name);
    if (strncmp(argument, name, length) != 0)
        return false;
    char *end = NULL;
    errno = 0;
    *value = strtoul(argument + length, &end, 10);
    return errno == 0 && end != argument + length && *end == '\0';
}

int main(int argc, char **argv) {
    unsigned long runs = 0, seed = 0;
    if (argc != 4 || !argument_number(argv[1], "-runs=", &runs) ||
        !argument_number(argv[2], "-seed=", &seed)) {
        fprintf(stderr, "usage: %s -runs=N -seed=S CORPUS_DIR\n", argv[0]);
        return 2;
    }
    fuzz_corpus corpus = {.files = calloc(CORPUS_MAX_FILES, sizeof(fuzz_input))};
    if (corpus.files == NULL || !corpus_load(&corpus, argv[3]) || corpus.count == 0) {
        fprintf(stderr, "fuzz: %s: no readable seed files there (%s)\n", argv[3], strerror(errno));
        free(corpus.files);
        return 2;
    }
    signal(SIGSEGV, report_run);
    signal(SIGABRT, report_run);
    bool ok = corpus_run(&corpus, runs, seed * 2 + 1);
    printf("fuzz: %zu seeds and %lu mutations of them, seed %lu\n", corpus.count, runs, seed);
    free(corpus.files);
    return ok ? 0 : 1;
}
