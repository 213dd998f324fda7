// Register-tiled matrix products. One tile is ROWS rows by WIDTH columns, held in registers while it sums over k.
#pragma once

#include "profile.h"
#include "vector.h"

namespace tauten {

constexpr int ROWS = 6;
constexpr int VECTORS = LANES == 16 ? 4 : 2;
constexpr int WIDTH = VECTORS * LANES;

// One operand gives single values: element (r, k) lies at a[r * row + k * next].
struct Values {
    const float* a;
    int64_t row, next;
};

// acc[r][v] += sum over k of a(r, k) * b[k * next + v]
template <int R, int N>
inline __attribute__((always_inline)) void tile(V (&acc)[R][N], Values a, const float* b, int64_t next, int64_t k) {
    for (int64_t i = 0; i < k; i++, b += next) {
        V own[N];
#pragma GCC unroll 4
        for (int v = 0; v < N; v++) own[v] = load(b + v * LANES);
#pragma GCC unroll 6
        for (int r = 0; r < R; r++) {
            const V value = splat(a.a[r * a.row + i * a.next]);
#pragma GCC unroll 4
            for (int v = 0; v < N; v++) acc[r][v] = fma(value, own[v], acc[r][v]);
        }
    }
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
struct Panels {
    float* data;
    int64_t stride;  // floats from panel to panel

    float* at(int panel, int64_t feature) const { return data + panel * stride + feature * WIDTH; }
};

inline int panels_of(int columns) { return (columns + WIDTH - 1) / WIDTH; }

inline int vectors_of(int panel, int columns) {
    const int left = columns - panel * WIDTH;
    return left < WIDTH ? left / LANES : VECTORS;
}

// out[r] = sum over k of a(r, k) * b[k], plus what out held where `add`; `finished(first, last)` sees rows while they
// are in the cache.
template <class Finished>
inline void product(int rows, int64_t k, Values a, Panels b, Panels out, int columns, bool add, Finished finished) {
    const In products(PRODUCTS);
    for (int r = 0; r < rows; r += ROWS) {
        const int some = rows - r < ROWS ? rows - r : ROWS;
        const Values own{a.a + r * a.row, a.row, a.next};
        with_rows(some, [&](auto height) {
            constexpr int R = decltype(height)::value;
            for (int p = 0; p < panels_of(columns); p++)
                with_vectors(vectors_of(p, columns), [&](auto width) {
                    constexpr int N = decltype(width)::value;
                    V acc[R][N] = {};
                    if (add)
                        for (int i = 0; i < R; i++)
                            for (int v = 0; v < N; v++) acc[i][v] = load(out.at(p, r + i) + v * LANES);
                    tile<R, N>(acc, own, b.at(p, 0), WIDTH, k);
                    for (int i = 0; i < R; i++)
                        for (int v = 0; v < N; v++) store(out.at(p, r + i) + v * LANES, acc[i][v]);
                });
        });
        finished(r, r + some);
    }
}

// Blocks of sum over the batch of a[r][c] * d[c][j]: `begin(row, rows, column, width)` is told before each is summed, and
// `consume(row, rows, column, width, block)` gets it while it is in the first cache, as rows of WIDTH floats.
template <class Begin, class Consume>
inline void outer(
    int rows, int width, Panels a, const float* d, int64_t next, int batch, Begin begin, Consume consume
) {
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
                        const int64_t k = batch - p * WIDTH < WIDTH ? batch - p * WIDTH : WIDTH;
                        tile<R, N>(acc, Values{a.at(p, r), WIDTH, 1}, d + p * WIDTH * next + j, next, k);
                    }
                    for (int i = 0; i < R; i++)
                        for (int v = 0; v < N; v++) store(block + i * WIDTH + v * LANES, acc[i][v]);
                });
            });
            consume(r, some, j, vectors * LANES, block);
        }
    }
}

// Panels of features to a matrix with one row of features for each column; features are padded with zeros.
inline void turned(Panels from, int features, int columns, float* to, int64_t next) {
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
inline void to_panels(const float* from, int64_t next, int features, int columns, Panels to) {
    for (int p = 0; p < panels_of(columns); p++)
        for (int c = 0; c < vectors_of(p, columns) * LANES; c += LANES)
            for (int f = 0; f < features; f += LANES) {
                V rows[LANES];
                for (int i = 0; i < LANES; i++) rows[i] = load(from + (p * WIDTH + c + i) * next + f);
                transpose(rows);
                for (int i = 0; i < LANES && f + i < features; i++) store(to.at(p, f + i) + c, rows[i]);
            }
}

}  // namespace tauten
