// Register-tiled matrix products. One tile is ROWS rows by WIDTH columns, held in registers while it sums over k.
//
// The operands are of T: float, or words that hold two bfloat16 each, neighbours in k; then k counts words.
#pragma once

#include "profile.h"
#include "vector.h"

namespace tauten {

constexpr int ROWS = 6;
constexpr int VECTORS = LANES == 16 ? 4 : 2;
constexpr int WIDTH = VECTORS * LANES;

// One operand gives single values: element (r, k) lies at a[r * row + k * next].
template <class T>
struct Values {
    const T* a;
    int64_t row, next;
};

inline V multiply_add(float a, V b, V c) { return fma(splat(a), b, c); }
#if TAUTEN_BF16
inline V multiply_add(uint32_t a, U b, V c) { return pair_fma(splat(a), b, c); }
#endif

// acc[r][v] += sum over k of a(r, k) * b[k * next + v]
template <int R, int N, class T>
inline __attribute__((always_inline)) void tile(V (&acc)[R][N], Values<T> a, const T* b, int64_t next, int64_t k) {
    for (int64_t i = 0; i < k; i++, b += next) {
        decltype(load(b)) own[N];
#pragma GCC unroll 4
        for (int v = 0; v < N; v++) own[v] = load(b + v * LANES);
#pragma GCC unroll 6
        for (int r = 0; r < R; r++) {
            const T value = a.a[r * a.row + i * a.next];
#pragma GCC unroll 4
            for (int v = 0; v < N; v++) acc[r][v] = multiply_add(value, own[v], acc[r][v]);
        }
    }
}

// f(row, vector) over a tile, written out so that the tile stays in registers.
template <int R, int N, class F>
inline __attribute__((always_inline)) void each(F f) {
#pragma GCC unroll 6
    for (int i = 0; i < R; i++)
#pragma GCC unroll 4
        for (int v = 0; v < N; v++) f(i, v);
}

// Calls f with the number of rows and vectors as constants.
template <class F>
inline void with_rows(int rows, F f) {
    switch (rows) {
        case 6: return f(std::integral_constant<int, 6>{});
        case 5: return f(std::integral_constant<int, 5>{});
        case 4: return f(std::integral_constant<int, 4>{});
        case 3: return f(std::integral_constant<int, 3>{});
        case 2: return f(std::integral_constant<int, 2>{});
        default: return f(std::integral_constant<int, 1>{});
    }
}

template <class F>
inline void with_vectors(int vectors, F f) {
    switch (vectors) {
        case 1: return f(std::integral_constant<int, 1>{});
#if TAUTEN_LANES == 16
        case 3: return f(std::integral_constant<int, 3>{});
        case 4: return f(std::integral_constant<int, 4>{});
#endif
        default: return f(std::integral_constant<int, 2>{});
    }
}

// Columns (rows of the batch) lie in panels of WIDTH: feature f, column c at [c / WIDTH][f][c % WIDTH].
template <class T>
struct Panels {
    T* data;
    int64_t stride;  // numbers from panel to panel

    T* at(int panel, int64_t feature) const { return data + panel * stride + feature * WIDTH; }
};

inline int panels_of(int columns) { return (columns + WIDTH - 1) / WIDTH; }

inline int vectors_of(int panel, int columns) {
    const int left = columns - panel * WIDTH;
    return left < WIDTH ? left / LANES : VECTORS;
}

// f(offset, column) for every vector of a feature, with the offset from the feature's place in the first panel.
template <class F>
inline __attribute__((always_inline)) void sweep(int columns, int64_t stride, F f) {
    for (int c = 0; c < columns;) {
        int64_t at = c / WIDTH * stride;
        for (const int end = columns - c < WIDTH ? columns : c + WIDTH; c < end; c += LANES, at += LANES) f(at, c);
    }
}

// out[r] = sum over k of a(r, k) * b[k], plus what out held where `add`; `finished(first, last)` sees rows while they
// are in the cache.
template <class T, class Finished>
inline void product(
    int rows, int64_t k, Values<T> a, Panels<T> b, Panels<float> out, int columns, bool add, Finished finished
) {
    const In products(PRODUCTS);
    for (int r = 0; r < rows; r += ROWS) {
        const int some = rows - r < ROWS ? rows - r : ROWS;
        const Values<T> own{a.a + r * a.row, a.row, a.next};
        with_rows(some, [&](auto height) {
            constexpr int R = decltype(height)::value;
            for (int p = 0; p < panels_of(columns); p++)
                with_vectors(vectors_of(p, columns), [&](auto width) {
                    constexpr int N = decltype(width)::value;
                    V acc[R][N] = {};
                    float* to = out.at(p, r);
                    if (add) each<R, N>([&acc, to](int i, int v) { acc[i][v] = load(to + i * WIDTH + v * LANES); });
                    tile(acc, own, static_cast<const T*>(b.at(p, 0)), WIDTH, k);
                    each<R, N>([&acc, to](int i, int v) { store(to + i * WIDTH + v * LANES, acc[i][v]); });
                });
        });
        finished(r, r + some);
    }
}

// Blocks of sum over the batch of a[r][c] * d[c][j]: `begin(row, rows, column, width)` is told before each is summed, and
// `consume(row, rows, column, width, block)` gets it while it is in the first cache, as rows of WIDTH floats.
template <class T, class Begin, class Consume>
inline void outer(
    int rows, int width, Panels<T> a, const T* d, int64_t next, int batch, Begin begin, Consume consume
) {
    constexpr int TOGETHER = std::is_same_v<T, float> ? 1 : 2;  // columns in a T
    const In products(PRODUCTS);
    alignas(64) float block[ROWS * WIDTH];
    for (int r = 0; r < rows; r += ROWS) {
        const int some = rows - r < ROWS ? rows - r : ROWS;
        for (int j = 0; j < width; j += WIDTH) {
            const int left = (width - j) / LANES, vectors = left < VECTORS ? left : VECTORS;
            begin(r, some, j, vectors * LANES);
            with_rows(some, [&](auto height) {
                constexpr int R = decltype(height)::value;
                with_vectors(vectors, [&](auto breadth) {
                    constexpr int N = decltype(breadth)::value;
                    V acc[R][N] = {};
                    for (int p = 0; p * WIDTH < batch; p++) {
                        const int64_t some_columns = batch - p * WIDTH < WIDTH ? batch - p * WIDTH : WIDTH;
                        const int64_t k = (some_columns + TOGETHER - 1) / TOGETHER;
                        const T* own = d + p * (WIDTH / TOGETHER) * next + j;
                        const T* values = a.data + p * a.stride + r * (WIDTH / TOGETHER);
                        tile(acc, Values<T>{values, WIDTH / TOGETHER, 1}, own, next, k);
                    }
                    float* to = block;
                    each<R, N>([&acc, to](int i, int v) { store(to + i * WIDTH + v * LANES, acc[i][v]); });
                });
            });
            consume(r, some, j, vectors * LANES, block);
        }
    }
}

// Panels of features to a matrix with one row of features for each column; features are padded with zeros.
inline void turned(Panels<float> from, int features, int columns, float* to, int64_t next) {
    for (int p = 0; p < panels_of(columns); p++)
        for (int c = 0; c < vectors_of(p, columns) * LANES; c += LANES)
            for (int f = 0; f < padded(features); f += LANES) {
                V rows[LANES];
                for (int i = 0; i < LANES; i++) rows[i] = f + i < features ? load(from.at(p, f + i) + c) : V{};
                transpose(rows);
                for (int i = 0; i < LANES; i++) store(to + (p * WIDTH + c + i) * next + f, rows[i]);
            }
}

// The inverse: a matrix with a row for each column of the batch, to panels. `next` is its padded row length.
inline void to_panels(const float* from, int64_t next, int features, int columns, Panels<float> to) {
    for (int p = 0; p < panels_of(columns); p++)
        for (int c = 0; c < vectors_of(p, columns) * LANES; c += LANES)
            for (int f = 0; f < features; f += LANES) {
                V rows[LANES];
                for (int i = 0; i < LANES; i++) rows[i] = load(from + (p * WIDTH + c + i) * next + f);
                transpose(rows);
                for (int i = 0; i < LANES && f + i < features; i++) store(to.at(p, f + i) + c, rows[i]);
            }
}

#if TAUTEN_BF16
// ---- the same operands in bfloat16 ----

// Features 2f and 2f + 1 of every column in one word; an odd last feature beside zero.
inline void feature_pairs(Panels<float> from, int features, int columns, Panels<uint32_t> to) {
    for (int p = 0; p < panels_of(columns); p++)
        for (int f = 0; f < features; f += 2)
            for (int c = 0; c < vectors_of(p, columns) * LANES; c += LANES)
                store(to.at(p, f / 2) + c, pairs(load(from.at(p, f) + c), f + 1 < features ? load(from.at(p, f + 1) + c) : V{}));
}

// Columns 2c and 2c + 1 of every feature in one word: panels of half the width.
inline void column_pairs(Panels<float> from, int features, int columns, Panels<uint32_t> to) {
    for (int p = 0; p < panels_of(columns); p++)
        for (int f = 0; f < features; f++)
            for (int c = 0; c < vectors_of(p, columns) * LANES; c += 2 * LANES) {
                const float* at = from.at(p, f) + c;
                const bool both = c + LANES < vectors_of(p, columns) * LANES;
                store(to.data + p * to.stride + f * (WIDTH / 2) + c / 2, neighbours(load(at), both ? load(at + LANES) : V{}));
            }
}

// `turned` with two columns of the batch in a word: row c / 2, features along it.
inline void turned_pairs(Panels<float> from, int features, int columns, uint32_t* to, int64_t next) {
    for (int p = 0; p < panels_of(columns); p++)
        for (int c = 0; c < vectors_of(p, columns) * LANES; c += 2 * LANES)
            for (int f = 0; f < padded(features); f += LANES) {
                const bool both = c + LANES < vectors_of(p, columns) * LANES;
                V rows[LANES];
                for (int i = 0; i < LANES; i++) {
                    const float* at = from.at(p, f + i) + c;
                    const bool real = f + i < features;
                    rows[i] = (V)neighbours(real ? load(at) : V{}, real && both ? load(at + LANES) : V{});
                }
                transpose(rows);
                for (int i = 0; i < (both ? LANES : LANES / 2); i++) store(to + ((p * WIDTH + c) / 2 + i) * next + f, (U)rows[i]);
            }
}

// Rows 2k and 2k + 1 of a matrix in one word.
inline void row_pairs(const float* from, int rows, int64_t next, uint32_t* to) {
    for (int k = 0; k < rows; k += 2)
        for (int64_t j = 0; j < next; j += LANES)
            store(to + k / 2 * next + j, pairs(load(from + k * next + j), k + 1 < rows ? load(from + (k + 1) * next + j) : V{}));
}

// Neighbours in a row in one word: rows of next / 2 words, or one vector less.
inline void within_rows(const float* from, int rows, int64_t next, uint32_t* to) {
    for (int64_t i = 0; i < rows * next; i += 2 * LANES)
        store(to + i / 2, neighbours(load(from + i), i + LANES < rows * next ? load(from + i + LANES) : V{}));
}
#endif

}  // namespace tauten
