/* See definition_files.h. */
#include "core/definition_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PATH_SIZE 4096
#define DEPTH_MAX 4

void core_definition_files_init(core_definition_files *files, const core_definition_kind *kind,
                                core_slice project, core_slice environment) {
    *files = (core_definition_files){.kind = kind, .project = project, .environment = environment};
}

void core_definition_file_leave_out(const core_definition_files *files,
                                    core_definition_file *file) {
    files->kind->release(file->definition);
    file->definition = NULL;
}

static void file_fini(const core_definition_files *files, core_definition_file *file) {
    free(file->path);
    free(file->name);
    core_problems_fini(&file->problems);
    core_buffer_fini(&file->facts);
    core_document_free(file->document);
    core_definition_file_leave_out(files, file);
}

void core_definition_files_fini(core_definition_files *files) {
    for (size_t i = 0; i < files->count; i++)
        file_fini(files, &files->items[i]);
    free(files->items);
    files->items = NULL;
    files->count = files->room = 0;
}

/* ---- One file ---- */

static bool file_text(const char *path, core_buffer *text, core_error *error) {
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return core_error_set(error, CORE_ERROR_INPUT, "cannot be opened: %s", strerror(errno));
    uint8_t *room = core_buffer_reserve(text, CORE_DOCUMENT_BYTES_MAX + 1);
    size_t got = room != NULL ? fread(room, 1, CORE_DOCUMENT_BYTES_MAX + 1, file) : 0;
    bool ok = room != NULL && ferror(file) == 0;
    core_buffer_commit(text, got);
    (void)fclose(file);
    return ok || core_error_set(error, CORE_ERROR_INPUT, "cannot be read");
}

static core_definition_file *file_room(core_definition_files *files) {
    if (files->count == files->room && files->room < CORE_DEFINITION_FILES_MAX) {
        size_t room = files->room > 0 ? files->room * 2 : 16;
        core_definition_file *items = realloc(files->items, room * sizeof *items);
        if (items == NULL)
            return NULL;
        files->items = items;
        files->room = room;
    }
    if (files->count == CORE_DEFINITION_FILES_MAX || files->count == files->room)
        return NULL;
    core_definition_file *file = &files->items[files->count];
    *file = (core_definition_file){.path = NULL};
    core_problems_init(&file->problems);
    core_buffer_init(&file->facts, CORE_DEFINITION_FACTS_BYTES);
    return file;
}

/* Of what is wanted the definition is read; false: it is not wanted. */
static bool file_read(core_definition_files *files, core_definition_file *file) {
    core_buffer text;
    core_error error = {.text = ""};
    core_buffer_init(&text, CORE_DOCUMENT_BYTES_MAX + 1);
    if (!file_text(file->path, &text, &error))
        (void)core_problem_tell(&file->problems, (core_place){0}, "%s", error.text);
    else
        file->document = core_document_read(core_buffer_slice(&text), &file->problems);
    bool is_wanted =
        files->takes == NULL || files->takes(files->context, file->path, file->document);
    if (is_wanted && file->document != NULL)
        file->definition =
            files->kind->read(file->document, files->project, files->environment, &file->problems);
    if (is_wanted) {
        files->hash = core_slice_hash_more(files->hash, core_slice_text(file->name));
        files->hash = core_slice_hash_more(files->hash, core_buffer_slice(&text));
    }
    core_buffer_fini(&text);
    return is_wanted;
}

/* `name` is within the directory that was asked for. */
static bool file_add(core_definition_files *files, const char *path, const char *name,
                     core_error *error) {
    core_definition_file *file = file_room(files);
    if (file == NULL)
        return core_error_set(error, CORE_ERROR_LIMIT, "%s: more than %d files, or no memory", path,
                              CORE_DEFINITION_FILES_MAX);
    file->path = strdup(path);
    file->name = strdup(name);
    files->count++;
    return (file->path != NULL && file->name != NULL) ||
           core_error_set(error, CORE_ERROR_INTERNAL, "no memory for files");
}

/* ---- A directory ---- */

static bool name_counts(const char *name) {
    static const char *const endings[] = {".yaml", ".yml", ".json"};
    size_t length = strlen(name);
    for (size_t i = 0; i < CORE_COUNT_OF(endings); i++) {
        size_t ending = strlen(endings[i]);
        if (length > ending && strcmp(name + length - ending, endings[i]) == 0)
            return true;
    }
    return false;
}

typedef bool (*entry_handler)(void *context, const char *path, const char *name,
                              const struct stat *facts, core_error *error);

/* Each file of the directory that counts. ENOENT is left in errno where it is not there. */
static bool directory_walk(const char *directory, const char *within, unsigned depth,
                           entry_handler take, void *context, core_error *error) {
    DIR *entries = opendir(directory);
    struct dirent *entry;
    bool ok = true;
    if (entries == NULL) {
        int failure = errno;
        (void)core_error_set(error, CORE_ERROR_INPUT, "%s: %s", directory, strerror(failure));
        errno = failure;
        return false;
    }
    while (ok && (entry = readdir(entries)) != NULL) {
        char path[PATH_SIZE], name[PATH_SIZE];
        struct stat facts;
        if (entry->d_name[0] == '.')
            continue;
        const char *slash = directory[strlen(directory) - 1] == '/' ? "" : "/";
        int length = snprintf(path, sizeof path, "%s%s%s", directory, slash, entry->d_name);
        (void)snprintf(name, sizeof name, "%s%s", within, entry->d_name);
        if (length >= PATH_SIZE || stat(path, &facts) != 0)
            continue;
        if (S_ISDIR(facts.st_mode) && depth < DEPTH_MAX) {
            size_t end = strlen(name);
            (void)snprintf(name + end, sizeof name - end, "/");
            ok = directory_walk(path, name, depth + 1, take, context, error);
        } else if (S_ISREG(facts.st_mode) && name_counts(name)) {
            ok = take(context, path, name, &facts, error);
        }
    }
    (void)closedir(entries);
    return ok;
}

static bool entry_add(void *context, const char *path, const char *name, const struct stat *facts,
                      core_error *error) {
    (void)facts;
    return file_add(context, path, name, error);
}

static int file_compare(const void *a, const void *b) {
    return strcmp(((const core_definition_file *)a)->path, ((const core_definition_file *)b)->path);
}

/* Reads those behind the first `before`, and lets go what is not wanted. */
static void files_read(core_definition_files *files, size_t before) {
    size_t kept = before;
    for (size_t i = before; i < files->count; i++) {
        core_definition_file file = files->items[i];
        if (file_read(files, &file))
            files->items[kept++] = file;
        else
            file_fini(files, &file);
    }
    files->count = kept;
}

bool core_definition_files_add(core_definition_files *files, const char *path, bool may_be_missing,
                               core_error *error) {
    struct stat found;
    size_t before = files->count;
    bool ok;
    if (stat(path, &found) == 0 && S_ISREG(found.st_mode))
        ok = file_add(files, path, path, error);
    else {
        errno = 0;
        ok = directory_walk(path, "", 1, entry_add, files, error) ||
             (may_be_missing && errno == ENOENT && files->count == before);
    }
    if (files->count > before)
        qsort(files->items + before, files->count - before, sizeof files->items[0], file_compare);
    if (ok)
        files_read(files, before);
    return ok;
}

/* ---- All of them ---- */

static bool same_place(const core_definition_head *a, const core_definition_head *b) {
    return core_slice_equal(a->name, b->name) && core_slice_equal(a->project, b->project);
}

void core_definition_files_end(core_definition_files *files) {
    for (size_t i = 0; i < files->count; i++) {
        core_definition_file *file = &files->items[i];
        if (file->definition == NULL)
            continue;
        core_definition_head head = files->kind->head(file->definition);
        for (size_t j = 0; j < i; j++) {
            const core_definition_file *other = &files->items[j];
            if (other->definition == NULL)
                continue;
            core_definition_head before = files->kind->head(other->definition);
            if (!same_place(&head, &before))
                continue;
            const core_node *name = core_node_find(core_document_root(file->document), "name");
            (void)core_problem_tell(&file->problems, name->place, "name: %.*s is also in %s",
                                    CORE_SLICE_ARGS(head.name), other->path);
            break;
        }
    }
}

static bool entry_look(void *context, const char *path, const char *name, const struct stat *facts,
                       core_error *error) {
    uint64_t *look = context;
    const int64_t numbers[] = {facts->st_mtim.tv_sec, facts->st_mtim.tv_nsec, facts->st_size,
                               (int64_t)facts->st_ino};
    (void)path;
    (void)error;
    uint64_t one = core_slice_hash_more(core_slice_hash(core_slice_text(name)),
                                        core_slice_make(numbers, sizeof numbers));
    *look ^= one; /* in whatever order they come */
    return true;
}

uint64_t core_definition_files_look(const char *directory) {
    uint64_t look = 0;
    core_error ignored;
    return directory_walk(directory, "", 1, entry_look, &look, &ignored) ? look : 0;
}
