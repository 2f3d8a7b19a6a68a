"""A peer of the search suite: Tantivy, or SQLite's FTS5 as it comes, within one process, no server.

search_peer.py tantivy|fts5 DOCUMENTS QUERIES

DOCUMENTS: a JSON object a line; QUERIES: what bench/lib/search_queries.mjs makes. Prints JSON:
documents indexed a second (committed at the end), milliseconds of each query by kind (twenty hits,
their documents read), and the peak of resident memory.
"""
import json
import resource
import sqlite3
import sys
import tempfile
import time

HITS = 20
TITLE_WEIGHT = 2.0
KINDS = ["and", "or", "prefix", "typo"]


class Tantivy:
    def __init__(self, directory):
        import tantivy

        self.tantivy = tantivy
        schema = tantivy.SchemaBuilder()
        for name in ("title", "text"):
            schema.add_text_field(name, stored=True)
        schema.add_integer_field("id", stored=True, indexed=True)
        self.schema = schema.build()
        self.index = tantivy.Index(self.schema, path=directory)

    def fill(self, documents):
        writer = self.index.writer(heap_size=64 << 20, num_threads=1)
        for one in documents:
            writer.add_document(
                self.tantivy.Document(id=one["id"], title=one["title"], text=one["text"]))
        writer.commit()
        writer.wait_merging_threads()
        self.index.reload()
        self.searcher = self.index.searcher()

    def either(self, make):
        boost, occur = self.tantivy.Query.boost_query, self.tantivy.Occur
        return self.tantivy.Query.boolean_query([
            (occur.Should, boost(make("title"), TITLE_WEIGHT)), (occur.Should, make("text"))])

    def query(self, kind, words):
        query, occur = self.tantivy.Query, self.tantivy.Occur
        if kind == "prefix":
            return self.either(lambda name: query.regex_query(self.schema, name, words[0] + ".*"))
        if kind == "typo":
            return self.either(lambda name: query.fuzzy_term_query(
                self.schema, name, words[0], distance=1 if len(words[0]) < 8 else 2))
        each = [self.either(lambda name: query.term_query(self.schema, name, word)) for word in words]
        return query.boolean_query(
            [(occur.Must if kind == "and" else occur.Should, one) for one in each])

    def search(self, kind, words):
        hits = self.searcher.search(self.query(kind, words), HITS).hits
        return [self.searcher.doc(address) for _, address in hits]


class Fts5:
    def __init__(self, directory):
        self.database = sqlite3.connect(directory + "/index.db", isolation_level=None)
        self.database.execute("CREATE VIRTUAL TABLE documents USING fts5(title, text)")

    def fill(self, documents):
        self.database.execute("BEGIN")
        self.database.executemany(
            "INSERT INTO documents(rowid, title, text) VALUES (?, ?, ?)",
            ((one["id"], one["title"], one["text"]) for one in documents))
        self.database.execute("COMMIT")

    def search(self, kind, words):
        if kind == "typo":
            return None
        quoted = ['"%s"' % word for word in words]
        match = quoted[0] + "*" if kind == "prefix" else (" OR " if kind == "or" else " ").join(quoted)
        return self.database.execute(
            "SELECT title, text FROM documents WHERE documents MATCH ? "
            "ORDER BY bm25(documents, ?, 1.0) LIMIT ?", (match, TITLE_WEIGHT, HITS)).fetchall()


def documents_of(path):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def times_of(engine, kind, queries):
    times = []
    for words in queries:
        begin = time.perf_counter()
        if engine.search(kind, words) is None:
            return None
        times.append((time.perf_counter() - begin) * 1e3)
    return times


def main(name, documents, queries):
    with tempfile.TemporaryDirectory() as directory:
        engine = {"tantivy": Tantivy, "fts5": Fts5}[name](directory)
        count = sum(1 for _ in documents_of(documents))
        begin = time.perf_counter()
        engine.fill(documents_of(documents))
        seconds = time.perf_counter() - begin
        with open(queries, encoding="utf-8") as text:
            asked = json.load(text)
        times = {kind: times_of(engine, kind, asked[kind]) for kind in KINDS}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"documents_per_s": count / seconds, "ms": times, "peak_mb": peak}))


if __name__ == "__main__":
    main(*sys.argv[1:])
