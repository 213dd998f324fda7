// The pass through the network, forward. Activations lie feature by feature, so that a feature's batch is a run of
// vectors, and batch norm, activation and dropout are one pass over it.
#pragma once

#include "member.h"

namespace tauten {

constexpr float EPSILON = 1e-5f;  // of batch norm

// A thread's memory for one member's batch, kept from step to step.
class Space {
   public:
    void fit(const Member& member, int columns) {
        const Layout& layout = member.layout;
        widest = padded((int)std::max<int64_t>({member.plan.inputs, member.plan.width, member.plan.outputs}));
        stride = widest * WIDTH;
        const int64_t depth = layout.hidden(), panels = panels_of(columns), matrix = panels * stride;
        turned_next = widest % 256 ? widest : widest + PAD;
        activations.resize(depth + 1);
        slopes.resize(depth);
        normed.resize(depth);
        words.resize(depth);
        inverse.resize(depth);
        // Every matrix has room for a vector more, since the last panel may be read in full vectors.
        for (auto& m : activations) grow(m, matrix);
        for (auto& m : slopes) grow(m, matrix);
        for (auto& m : normed) grow(m, matrix);
        for (auto& m : words) grow(m, (int64_t)padded((int)member.plan.width) / 2 * columns);
        for (auto* m : {&out, &gradient, &inner}) grow(*m, matrix);
        for (auto* m : {&turned, &staging}) grow(*m, (int64_t)panels * WIDTH * std::max(turned_next, widest));
        grow(targets, (int64_t)padded((int)member.plan.outputs) * columns);
        for (auto& m : inverse) grow(m, widest);
        grow(rows, 8 * (int64_t)columns);
    }

    Panels panels(const Memory<float>& m) const { return {m.data(), stride}; }

    int64_t widest = 0, stride = 0, turned_next = 0;
    std::vector<Memory<float>> activations, slopes, normed;
    std::vector<Memory<uint32_t>> words;
    Memory<float> out, gradient, inner, turned, staging, targets;
    std::vector<Memory<float>> inverse;  // of batch norm: one over the deviation
    Memory<float> gradients, moved;  // of all parameters, where a technique needs them at once
    Memory<uint32_t> rows;

    template <class T>
    static void grow(Memory<T>& memory, int64_t size) {
        if (memory.size() < size) memory = Memory<T>(size);
    }
};

struct Activated {
    V value, slope;
};

template <int KIND>
inline Activated activate(V y) {
    const V one = splat(1.0f);
    if constexpr (KIND == 0) return {pick(y < 0.0f, V{}, y), pick(y > 0.0f, one, V{})};
    if constexpr (KIND == 1) {
        const V half = 0.5f * (1.0f + error_function(y * 0.707106781f));
        return {y * half, fma(y, exponential(-0.5f * y * y) * 0.398942280f, half)};
    }
    if constexpr (KIND == 2) {
        const V s = sigmoid(y);
        return {y * s, s * fma(y, 1.0f - s, one)};
    }
    const V t = hyperbolic_tangent(y);
    return {t, one - t * t};
}

// Lanes of vector v of the batch that hold rows; the others are there to fill a vector.
inline I real(int column, int batch) { return lane_numbers() + column < batch; }

// Draws of a hidden layer's dropout: two features a word, for every row of the batch.
inline void draw_words(const Member& member, int layer, int columns, uint32_t* words) {
    const Place place = member.place(member.dropout_sites[layer]);
    for (int f = 0; f < member.plan.width; f += 8)
        for (int c = 0; c < columns; c += LANES) {
            const Block block = place.block(f / 8, c);
            for (int i = 0; i < 4; i++) *reinterpret_cast<U*>(words + (int64_t)(f / 2 + i) * columns + c) = block.word[i];
        }
}

// What one hidden layer does to its linear map's output, feature by feature.
struct Hidden {
    const Member& member;
    const float* w;
    float* running;  // of batch norm; null leaves them
    Space& space;
    int index, columns, batch;
    bool training;

    template <int KIND>
    void rows(int first, int last) const {
        const Layer& layer = member.layout.layers[index];
        const tauten_plan& plan = member.plan;
        const Panels z = space.panels(training ? space.normed[index] : space.activations[index + 1]);
        const Panels before = space.panels(space.activations[index]), after = space.panels(space.activations[index + 1]);
        const float p = member.dropout[index];
        const int32_t threshold = (int32_t)std::nearbyint((double)p * 65536);
        const bool drop = training && threshold > 0;
        const float keep = plan.dropout_classic ? (training ? 1.0f : 1 - p) : (training ? 1 / (1 - p) : 1.0f);
        const bool norm = plan.batch_norm > 0, add = plan.skip && index > 0;
        for (int f = first; f < last; f++) {
            float shift = 0, scale = 1;
            if (norm) {
                if (training) normalize(f, z, layer);
                else {
                    scale = w[layer.scale + f] / std::sqrt(w[layer.variance + f] + EPSILON);
                    shift = -w[layer.mean + f];
                }
            }
            const float offset = norm ? w[layer.shift + f] : w[layer.bias + f];
            if (norm && training) scale = w[layer.scale + f];
            const uint32_t* words = drop ? space.words[index].data() + (int64_t)(f / 2) * columns : nullptr;
            for (int c = 0; c < columns; c += LANES) {
                const int panel = c / WIDTH, within = c % WIDTH;
                const V own = load(z.at(panel, f) + within);
                Activated a = activate<KIND>(fma(own + shift, splat(scale), splat(offset)));
                if (drop) {
                    const U word = *reinterpret_cast<const U*>(words + c);
                    const I half = (I)(f % 2 ? word >> 16 : word & 0xFFFF);
                    const V factor = pick(half < threshold, V{}, splat(keep));
                    a.value *= factor;
                    a.slope *= factor;
                } else if (keep != 1.0f) {
                    a.value *= keep;
                }
                if (training) store(space.slopes[index].data() + panel * space.stride + f * WIDTH + within, a.slope);
                store(after.at(panel, f) + within, add ? load(before.at(panel, f) + within) + a.value : a.value);
            }
        }
    }

    // z becomes (z - mean) / deviation in place; padding becomes zero.
    void normalize(int f, Panels z, const Layer& layer) const {
        V total{};
        for (int c = 0; c < columns; c += LANES) {
            const V own = load(z.at(c / WIDTH, f) + c % WIDTH);
            total += c + LANES <= batch ? own : pick(real(c, batch), own, V{});
        }
        const float mean = sum(total) / batch;
        V squares{};
        for (int c = 0; c < columns; c += LANES) {
            V own = load(z.at(c / WIDTH, f) + c % WIDTH) - mean;
            if (c + LANES > batch) own = pick(real(c, batch), own, V{});
            squares = fma(own, own, squares);
        }
        const float variance = sum(squares) / batch, inverse = 1 / std::sqrt(variance + EPSILON);
        for (int c = 0; c < columns; c += LANES) {
            float* at = z.at(c / WIDTH, f) + c % WIDTH;
            V own = (load(at) - mean) * inverse;
            store(at, c + LANES <= batch ? own : pick(real(c, batch), own, V{}));
        }
        space.inverse[index].data()[f] = inverse;
        if (running) {
            const float rate = member.plan.batch_norm, fair = (float)batch / (batch > 1 ? batch - 1 : 1);
            float &m = running[layer.mean + f], &v = running[layer.variance + f];
            m += rate * (mean - m);
            v += rate * (variance * fair - v);
        }
    }
};

template <class F>
inline void with_activation(int64_t kind, F f) {
    switch (kind) {
        case 0: return f(std::integral_constant<int, 0>{});
        case 1: return f(std::integral_constant<int, 1>{});
        case 2: return f(std::integral_constant<int, 2>{});
        default: return f(std::integral_constant<int, 3>{});
    }
}

// From activations[0] to `out`. In training `running` is where batch norm's averages go.
inline void forward(const Member& member, const float* w, float* running, Space& space, int columns, int batch, bool training) {
    const Layout& layout = member.layout;
    for (int i = 0; i <= layout.hidden(); i++) {
        const Layer& layer = layout.layers[i];
        const Values kernel{w + layer.weight, 1, layer.next};
        const Panels in = space.panels(space.activations[i]);
        if (i == layout.hidden()) {
            const Panels out = space.panels(space.out);
            product(layer.out, layer.in, kernel, in, out, columns, false, [&](int first, int last) {
                for (int f = first; f < last; f++)
                    for (int c = 0; c < columns; c += LANES) {
                        float* at = out.at(c / WIDTH, f) + c % WIDTH;
                        store(at, load(at) + w[layer.bias + f]);
                    }
            });
            return;
        }
        const Panels z = space.panels(training ? space.normed[i] : space.activations[i + 1]);
        const Hidden hidden{member, w, running, space, i, columns, batch, training};
        with_activation(member.plan.activation, [&](auto kind) {
            product(layer.out, layer.in, kernel, in, z, columns, false,
                    [&](int first, int last) { hidden.rows<decltype(kind)::value>(first, last); });
        });
    }
}

}  // namespace tauten
