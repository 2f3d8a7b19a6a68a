/* What the embedded search engine costs, by itself, beside plain FTS5 in the same run.
 *
 *   micro_search CORPUS DIRECTORY [QUERIES] [SEED] [LANGUAGE] [alone]
 *   micro_search CORPUS DIRECTORY FILE and|or|word|facets|sort
 *
 * The second form takes the queries out of a file, one a line, and writes what they find into the
 * file that HITS names, so that two builds can be compared.
 * CORPUS has a JSON object a line, those of lib/corpus.mjs. Prints a line of JSON a measurement:
 * documents/s of the bulk load in groups of 2,000, the time to open again, and p50, p99 and the
 * worst of each kind of query over words drawn from the corpus by how often they stand there. Plain
 * FTS5 has the same texts and answers `ORDER BY rank LIMIT 20`. */
#include "search-index/backend.h"
#include "search-index/request.h"
#include "search-index/tokenizer_fts.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define GROUP     2000
#define WORDS_MAX 4000
#define TEXT      300

typedef struct {
    core_slice *lines;
    size_t count;
    char (*words)[64]; /* drawn */
    size_t word_count;
    search_tokenizer *tokenizer;
    uint64_t random;
    size_t queries;
    const char *file; /* of queries; NULL: they are drawn */
    const char *mode;
} bench;

static void fail(const char *what, const core_error *error) {
    (void)fprintf(stderr, "micro_search: %s: %s\n", what, error != NULL ? error->text : "");
    exit(1);
}

/* The thread's own time: what others of the machine take is not in it. */
static double now_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static uint32_t next_random(bench *b) {
    b->random = b->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(b->random >> 33);
}

static double rss_mb(void) {
    char line[200];
    double kb = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "RssAnon:", 8) == 0)
            kb = strtod(line + 8, NULL);
    if (file != NULL)
        (void)fclose(file);
    return kb / 1024;
}

static double resident_mb(void) {
    unsigned long size = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lu %lu", &size, &pages) != 2)
        pages = 0;
    if (file != NULL)
        (void)fclose(file);
    return (double)pages * 4096 / 1048576;
}

/* ---- The corpus: mapped by reading, outside of what is measured ---- */
static void corpus_read(bench *b, const char *path) {
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    if (file == NULL)
        fail(path, NULL);
    b->lines = malloc(1000000 * sizeof *b->lines);
    while (b->lines != NULL && b->count < 1000000 && (length = getline(&line, &room, file)) > 1)
        b->lines[b->count++] = core_slice_text(strndup(line, (size_t)length - 1));
    free(line);
    (void)fclose(file);
}

static core_slice member(core_slice json, const char *name) {
    core_json_reader reader = core_json_reader_make(json);
    core_json_token token = core_json_next(&reader);
    while (core_json_member_next(&reader, &token)) {
        if (core_json_raw_is(token.key, name))
            return token.raw;
        core_slice whole;
        if (!core_json_skip(&reader, token, &whole))
            break;
    }
    return core_slice_make("", 0);
}

typedef struct {
    bench *b;
    uint32_t skip;
} draw;

static bool draw_take(void *context, const search_token *token) {
    draw *d = context;
    if (token->text.length < 3 || token->text.length > 60 || token->is_stem)
        return true;
    if (d->skip-- > 0)
        return true;
    memcpy(d->b->words[d->b->word_count], token->text.data, token->text.length);
    d->b->words[d->b->word_count++][token->text.length] = '\0';
    return false;
}

static void words_draw(bench *b) {
    b->words = calloc(WORDS_MAX, 64);
    if (b->words == NULL)
        fail("no memory", NULL);
    while (b->word_count < WORDS_MAX) {
        draw d = {.b = b, .skip = next_random(b) % 12};
        core_slice text = member(b->lines[next_random(b) % b->count], "text");
        if (!search_tokenizer_run(b->tokenizer, text, SEARCH_TOKENS_INDEX, draw_take, &d))
            fail("no memory", NULL);
    }
}

/* ---- Queries ---- */
typedef enum {
    KIND_ONE,
    KIND_AND,
    KIND_THREE,
    KIND_OR,
    KIND_PREFIX,
    KIND_SHORT,
    KIND_TYPO,
    KIND_LAST,
    KIND_FILTER,
    KIND_FACETS,
    KIND_SORT,
    KIND_EMPTY,
    KIND_COUNT
} kind;

static const char *const kinds[KIND_COUNT] = {"one word",
                                              "and of two",
                                              "and of three",
                                              "or of two",
                                              "prefix of 3 or 4",
                                              "prefix of 1 or 2",
                                              "typo",
                                              "two words, last strategy, prefix",
                                              "and of two, filter",
                                              "and of two, facets",
                                              "one word, sort",
                                              "no words, sort, filter, facet"};

static void word_mistype(bench *b, char *word) {
    size_t length = strlen(word), at = 1 + next_random(b) % (length - 1);
    if (next_random(b) % 2 == 0)
        word[at] = (char)('a' + next_random(b) % 26);
    else
        memmove(word + at, word + at + 1, length - at);
}

static void query_text(bench *b, kind k, char text[TEXT]) {
    const char *one, *two = b->words[next_random(b) % WORDS_MAX],
                     *three = b->words[next_random(b) % WORDS_MAX];
    do
        one = b->words[next_random(b) % WORDS_MAX];
    while (k == KIND_TYPO && (strlen(one) < 5 || strlen(one) > 20));
    char word[64];
    (void)snprintf(word, sizeof word, "%s", one);
    if (k == KIND_TYPO)
        word_mistype(b, word);
    if (k == KIND_PREFIX)
        word[3 + next_random(b) % 2] = '\0';
    if (k == KIND_SHORT)
        word[1 + next_random(b) % 2] = '\0';
    switch (k) {
    case KIND_AND:
    case KIND_FILTER:
    case KIND_FACETS:
        (void)snprintf(text, TEXT, "%s %s ", word, two);
        break;
    case KIND_LAST:
        (void)snprintf(text, TEXT, "%s %s", word, two);
        break;
    case KIND_THREE:
        (void)snprintf(text, TEXT, "%s %s %s ", word, two, three);
        break;
    case KIND_OR:
        (void)snprintf(text, TEXT, "%s OR %s ", word, two);
        break;
    case KIND_EMPTY:
        text[0] = '\0';
        break;
    default:
        (void)snprintf(text, TEXT, k == KIND_PREFIX || k == KIND_SHORT ? "%s" : "%s ", word);
        break;
    }
}

static int by_size(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void times_print(const char *engine, const char *what, double *times, size_t count,
                        double hits) {
    qsort(times, count, sizeof *times, by_size);
    (void)printf("{\"engine\":\"%s\",\"query\":\"%s\",\"p50_ms\":%.2f,\"p90_ms\":%.2f,"
                 "\"p99_ms\":%.2f,\"max_ms\":%.2f,\"hits\":%.1f}\n",
                 engine, what, times[count / 2], times[count * 9 / 10], times[count * 99 / 100],
                 times[count - 1], hits / (double)count);
    (void)fflush(stdout);
}

static void request_fill(kind k, core_arena *arena, search_request *request) {
    static const core_slice facets[] = {{(const uint8_t *)"kind", 4},
                                        {(const uint8_t *)"source", 6}};
    static const search_sort sort = {.attribute = {(const uint8_t *)"size", 4},
                                     .is_descending = true};
    core_error error;
    search_filter_budget budget = SEARCH_FILTER_BUDGET;
    request->limit = 20;
    request->is_boolean = k == KIND_OR;
    request->strategy = k == KIND_LAST ? SEARCH_STRATEGY_LAST : SEARCH_STRATEGY_ALL;
    if (k == KIND_FACETS || k == KIND_EMPTY)
        request->facets = (search_names){.names = facets, .count = 2, .is_given = true};
    if (k == KIND_SORT || k == KIND_EMPTY) {
        request->sorts = &sort;
        request->sort_count = 1;
    }
    if ((k == KIND_FILTER || k == KIND_EMPTY) &&
        !search_filter_parse(arena, core_slice_text("kind IN [noun, verb, libs] AND size > 60"),
                             &budget, &request->filter, &error))
        fail("filter", &error);
}

static bool is_number(const char *text) {
    return text[strspn(text, "0123456789")] == '\0';
}

/* Two words each, both wanted, the last one a beginning too; or as `mode` says. */
static void line_request(const char *mode, core_arena *arena, search_request *request) {
    bool is_facets = strcmp(mode, "facets") == 0, is_sort = strcmp(mode, "sort") == 0;
    request_fill(is_facets ? KIND_FACETS : is_sort ? KIND_SORT : KIND_AND, arena, request);
    request->is_boolean = strcmp(mode, "or") == 0;
    if (strcmp(mode, "and") != 0 && !request->is_boolean)
        request->strategy = SEARCH_STRATEGY_LAST;
}

static void hits_print(FILE *out, const char *text, const search_hits *hits) {
    (void)fprintf(out, "%s\t%llu\t", text, (unsigned long long)hits->total);
    for (size_t i = 0; i < hits->hit_count; i++)
        (void)fprintf(out, "%.*s:%.4f ", CORE_SLICE_ARGS(hits->hits[i].id),
                      hits->hits[i].relevance);
    (void)fputc('\n', out);
}

/* Queries out of a file, one a line; what they find into FILE.MODE.hits, to compare two builds. */
static void file_run(search_reader *reader, const char *path, const char *mode) {
    static char lines[WORDS_MAX][TEXT];
    static double times[WORDS_MAX];
    size_t count = 0;
    double hits = 0;
    char name[500];
    core_arena arena;
    core_arena_init(&arena, 4096, 1 << 20);
    FILE *in = fopen(path, "r");
    const char *to = getenv("HITS");
    (void)snprintf(name, sizeof name, "%s", to != NULL ? to : "/dev/null");
    FILE *out = fopen(name, "w");
    if (in == NULL || out == NULL)
        fail(path, NULL);
    for (; count < WORDS_MAX && fgets(lines[count], TEXT, in) != NULL; count++)
        lines[count][strcspn(lines[count], "\n")] = '\0';
    (void)fclose(in);
    for (size_t i = 0; i < count; i++) {
        core_error error;
        search_request request = search_request_defaults();
        line_request(mode, &arena, &request);
        request.q = core_slice_text(lines[i]);
        double start = now_ms();
        search_hits *answer = search_reader_query(reader, &request, &error);
        times[i] = now_ms() - start;
        if (answer == NULL)
            fail(lines[i], &error);
        if (getenv("SLOW") != NULL && times[i] > strtod(getenv("SLOW"), NULL))
            (void)fprintf(stderr, "%s: %.1f ms, %llu\n", lines[i], times[i],
                          (unsigned long long)answer->total);
        hits_print(out, lines[i], answer);
        hits += (double)answer->hit_count;
        search_hits_free(answer);
        core_arena_reset(&arena);
    }
    (void)fclose(out);
    times_print("walcast", mode, times, count, hits);
    core_arena_fini(&arena);
}

static void kind_run(bench *b, search_reader *reader, kind k) {
    double *times = calloc(b->queries, sizeof *times), hits = 0;
    core_arena arena;
    core_arena_init(&arena, 4096, 1 << 20);
    for (size_t i = 0; i < b->queries; i++) {
        char text[TEXT];
        core_error error;
        search_request request = search_request_defaults();
        request_fill(k, &arena, &request);
        query_text(b, k, text);
        request.q = core_slice_text(text);
        double start = now_ms();
        search_hits *answer = search_reader_query(reader, &request, &error);
        times[i] = now_ms() - start;
        if (answer == NULL)
            fail(text, &error);
        if (getenv("SLOW") != NULL && times[i] > strtod(getenv("SLOW"), NULL))
            (void)fprintf(stderr, "%s: %s: %.1f ms, %llu\n", kinds[k], text, times[i],
                          (unsigned long long)answer->total);
        hits += answer->hit_count;
        search_hits_free(answer);
        core_arena_reset(&arena);
    }
    times_print("walcast", kinds[k], times, b->queries, hits);
    core_arena_fini(&arena);
    free(times);
}

/* ---- Ours ---- */
static search_schema *schema_make(const char *language) {
    static const search_attribute attributes[] = {
        {.name = {(const uint8_t *)"title", 5}, .weight = 2},
        {.name = {(const uint8_t *)"text", 4}, .weight = 1},
        {.name = {(const uint8_t *)"kind", 4}, .is_filterable = true},
        {.name = {(const uint8_t *)"source", 6}, .is_filterable = true},
        {.name = {(const uint8_t *)"size", 4}, .is_filterable = true, .is_sortable = true}};
    search_schema_spec spec = search_schema_defaults();
    core_error error;
    spec.attributes = attributes;
    spec.attribute_count = CORE_COUNT_OF(attributes);
    spec.language = core_slice_text(language);
    search_schema *schema = search_schema_new(&spec, &error);
    if (schema == NULL)
        fail("schema", &error);
    return schema;
}

static void load(bench *b, search_backend *backend) {
    static search_item items[GROUP];
    static search_item_result results[GROUP];
    static char ids[GROUP][24];
    core_error error;
    double start = now_ms(), apply = 0;
    for (size_t at = 0; at < b->count;) {
        size_t count = 0;
        for (; count < GROUP && at < b->count; count++, at++) {
            (void)snprintf(ids[count], sizeof ids[count], "%zu", at + 1);
            items[count] = (search_item){
                .id = core_slice_text(ids[count]), .json = b->lines[at], .version = at + 1};
        }
        double before = now_ms();
        if (!search_backend_apply(backend, items, count, results, &error))
            fail("apply", &error);
        apply += now_ms() - before;
        search_position position = {.change_sequence = at};
        if (!search_backend_commit(backend, &position, &error))
            fail("commit", &error);
    }
    double took = now_ms() - start, rested = now_ms();
    (void)printf("{\"engine\":\"walcast\",\"documents\":%zu,\"documents_per_s\":%.0f,\"apply_ms\":"
                 "%.0f,\"commit_ms\":%.0f}\n",
                 b->count, (double)b->count / took * 1e3, apply, took - apply);
    if (!search_backend_built(backend, &error) ||
        !search_backend_commit(backend, &(search_position){.change_sequence = b->count}, &error))
        fail("built", &error);
    size_t steps = 0;
    for (bool is_done = false; !is_done; steps++)
        if (!search_backend_upkeep(backend, &is_done, &error))
            fail("upkeep", &error);
    (void)printf("{\"engine\":\"walcast\",\"upkeep_ms\":%.0f,\"steps\":%zu}\n", now_ms() - rested,
                 steps);
    (void)fflush(stdout);
}

static void ours(bench *b, const char *directory, const char *language) {
    char path[500];
    core_error error;
    search_schema *schema = schema_make(language);
    (void)snprintf(path, sizeof path, "%s/walcast.db", directory);
    const search_store_options options = {.path = path,
                                          .schema = schema,
                                          .columns_max_bytes = (size_t)256 << 20,
                                          .cache_bytes = (size_t)32 << 20};
    bool is_there = access(path, F_OK) == 0;
    double before = rss_mb(), start = now_ms();
    search_backend *backend = search_store_open(&options, &error);
    if (backend == NULL)
        fail("open", &error);
    if (!is_there) {
        load(b, backend);
        search_backend_close(backend);
        start = now_ms();
        backend = search_store_open(&options, &error);
        if (backend == NULL)
            fail("open", &error);
    }
    double opened = now_ms() - start;
    search_reader *reader = search_backend_reader_new(backend, &error);
    if (reader == NULL)
        fail("reader", &error);
    for (kind k = 0; b->file == NULL && k < KIND_COUNT; k++)
        kind_run(b, reader, k);
    if (b->file != NULL)
        file_run(reader, b->file, b->mode);
    search_stats stats = search_backend_stats(backend);
    (void)printf("{\"engine\":\"walcast\",\"open_ms\":%.0f,\"rss_anon_mb\":%.1f,\"rss_mb\":%.1f,"
                 "\"memory_mb\":%.1f,\"terms\":%llu,\"file_mb\":%.1f}\n",
                 opened, rss_mb() - before, resident_mb(), (double)stats.memory_bytes / 1048576,
                 (unsigned long long)stats.terms, (double)stats.file_bytes / 1048576);
    (void)fflush(stdout);
    search_reader_free(reader);
    search_backend_close(backend);
    search_schema_release(schema);
}

/* ---- Plain FTS5 ---- */
static void sql_run(sqlite3 *database, const char *sql) {
    if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK) {
        (void)fprintf(stderr, "micro_search: %s: %s\n", sql, sqlite3_errmsg(database));
        exit(1);
    }
}

static void plain_load(bench *b, sqlite3 *database) {
    sqlite3_stmt *put;
    double start = now_ms();
    sql_run(database, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                      "CREATE TABLE document (docid INTEGER PRIMARY KEY, json);"
                      "CREATE VIRTUAL TABLE words USING fts5(title, text, content='')");
    (void)sqlite3_prepare_v2(database, "INSERT INTO words (rowid, title, text) VALUES (?1,?2,?3)",
                             -1, &put, NULL);
    for (size_t at = 0; at < b->count; at++) {
        core_slice title = member(b->lines[at], "title"), text = member(b->lines[at], "text");
        if (at % GROUP == 0)
            sql_run(database, at > 0 ? "COMMIT; BEGIN" : "BEGIN");
        (void)sqlite3_bind_int64(put, 1, (sqlite3_int64)at + 1);
        (void)sqlite3_bind_text(put, 2, (const char *)title.data, (int)title.length, SQLITE_STATIC);
        (void)sqlite3_bind_text(put, 3, (const char *)text.data, (int)text.length, SQLITE_STATIC);
        if (sqlite3_step(put) != SQLITE_DONE)
            fail("plain", NULL);
        (void)sqlite3_reset(put);
    }
    sql_run(database, "COMMIT");
    (void)sqlite3_finalize(put);
    (void)printf("{\"engine\":\"fts5\",\"documents_per_s\":%.0f}\n",
                 (double)b->count / (now_ms() - start) * 1e3);
    (void)fflush(stdout);
}

static void plain_run(bench *b, sqlite3 *database, kind k) {
    sqlite3_stmt *ask;
    double *times = calloc(b->queries, sizeof *times), hits = 0;
    (void)sqlite3_prepare_v2(database,
                             "SELECT rowid FROM words WHERE words MATCH ?1 ORDER BY rank LIMIT 20",
                             -1, &ask, NULL);
    for (size_t i = 0; i < b->queries; i++) {
        char text[TEXT];
        query_text(b, k, text);
        size_t length = strlen(text);
        if (k == KIND_PREFIX || k == KIND_SHORT)
            (void)snprintf(text + length, sizeof text - length, "*");
        double start = now_ms();
        (void)sqlite3_bind_text(ask, 1, text, -1, SQLITE_STATIC);
        while (sqlite3_step(ask) == SQLITE_ROW)
            hits++;
        (void)sqlite3_reset(ask);
        times[i] = now_ms() - start;
    }
    times_print("fts5", kinds[k], times, b->queries, hits);
    (void)sqlite3_finalize(ask);
    free(times);
}

static void plain(bench *b, const char *directory) {
    char path[500];
    sqlite3 *database;
    (void)snprintf(path, sizeof path, "%s/plain.db", directory);
    bool is_there = access(path, F_OK) == 0;
    if (sqlite3_open(path, &database) != SQLITE_OK)
        fail(path, NULL);
    sql_run(database, "PRAGMA cache_size = -8192");
    if (!is_there)
        plain_load(b, database);
    static const kind asked[] = {KIND_ONE, KIND_AND, KIND_THREE, KIND_OR, KIND_PREFIX, KIND_SHORT};
    for (size_t i = 0; i < CORE_COUNT_OF(asked); i++)
        plain_run(b, database, asked[i]);
    (void)sqlite3_close(database);
}

int main(int argc, char **argv) {
    bench b = {.queries = argc > 3 ? strtoul(argv[3], NULL, 10) : 500,
               .random = argc > 4 ? strtoul(argv[4], NULL, 10) : 1};
    if (argc < 3)
        fail("usage: micro_search CORPUS DIRECTORY [QUERIES] [SEED] [LANGUAGE] [alone]", NULL);
    search_schema *schema = schema_make("");
    b.tokenizer = search_tokenizer_new(schema, NULL);
    if (b.tokenizer == NULL)
        fail("tokenizer", NULL);
    bool is_file = argc > 4 && !is_number(argv[3]);
    b.file = is_file ? argv[3] : NULL;
    b.mode = is_file ? argv[4] : "";
    corpus_read(&b, argv[1]);
    words_draw(&b);
    ours(&b, argv[2], argc > 5 ? argv[5] : "");
    b.queries = b.queries / 10 + 1; /* its slowest take a second each */
    if (argc <= 6 && !is_file)
        plain(&b, argv[2]);
    search_tokenizer_free(b.tokenizer);
    search_schema_release(schema);
    return 0;
}
