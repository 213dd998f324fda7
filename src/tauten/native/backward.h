// The pass backward, and what becomes of each gradient: it is consumed by the optimizer at once, block by block, unless a
// technique needs all of them together.
#pragma once

#include "forward.h"

namespace tauten {

constexpr float BETA1 = 0.9f, BETA2 = 0.999f, ADAM_EPSILON = 1e-8f;

enum Schedule { CONSTANT, COSINE, WARM_COSINE };  // of tauten/setting.py, in its order

inline double rate_at(const tauten_plan& plan, double progress) {
    constexpr double WARM = 0.1;
    if (plan.schedule == CONSTANT) return plan.learning_rate;
    const double warm = plan.schedule == WARM_COSINE ? WARM : 0.0;
    if (progress < warm) return plan.learning_rate * (WARM + (1 - WARM) * progress / warm);
    return plan.learning_rate * 0.5 * (1 + std::cos(M_PI * std::min((progress - warm) / (1 - warm), 1.0)));
}

// One optimizer step's numbers, and the optimizer over runs of a member's memory. The formulas and their order are those
// of tauten/optim.py and of the techniques' `weights` hooks.
class Optimizer {
   public:
    explicit Optimizer(Member& member) : member_(member), plan_(member.plan) {
        rate_ = (float)rate_at(plan_, (double)member.step / (double)plan_.length);
        if (plan_.adam) {
            const double t = (double)member.step + 1;
            step_ = (float)((double)rate_ / -std::expm1(t * std::log(0.9)));
            deviation_ = 1 / std::sqrt((float)-std::expm1(t * std::log(0.999)));
        }
        decay_ = rate_ * plan_.weight_decay;
        shrink_ = rate_ * plan_.l1;
    }

    // n floats from offset `at` on, with gradients g taken at the weights `read`; without them the L2 penalty's share is in
    // g already.
    void run(int64_t at, int64_t n, const float* g, const float* read, bool kernel) const {
        if (plan_.adam) kernel ? rows<true, true>(at, n, g, read) : rows<true, false>(at, n, g, read);
        else kernel ? rows<false, true>(at, n, g, read) : rows<false, false>(at, n, g, read);
    }

    // Ask for what `run` will need soon.
    void fetch(int64_t at, int64_t n) const {
        for (int64_t i = 0; i < n; i += PAD) {
            __builtin_prefetch(member_.w.data() + at + i, 1);
            __builtin_prefetch(member_.mean.data() + at + i, 1);
            if (plan_.adam) __builtin_prefetch(member_.square.data() + at + i, 1);
        }
    }

   private:
    template <bool ADAM, bool KERNEL>
    void rows(int64_t at, int64_t n, const float* g, const float* read) const {
        float *w = member_.w.data() + at, *mean = member_.mean.data() + at;
        float* square = ADAM ? member_.square.data() + at : nullptr;
        const bool l2 = KERNEL && read && plan_.l2 > 0, decay = KERNEL && decay_ > 0, l1 = KERNEL && shrink_ > 0;
        for (int64_t i = 0; i < n; i += LANES) {
            const V old = load(w + i);
            V grad = load(g + i), next, scale;
            if (l2) grad = fma(load(read + at + i), splat(2 * plan_.l2), grad);
            if constexpr (ADAM) {
                const V m = load(mean + i), moved = fma(grad - m, splat(1 - BETA1), m);
                const V v = fma(grad * (1 - BETA2), grad, load(square + i) * BETA2);
                store(mean + i, moved);
                store(square + i, v);
                scale = fma(root(v), splat(deviation_), splat(ADAM_EPSILON));
                next = old - moved * step_ / scale;
            } else {
                const V velocity = fma(load(mean + i), splat(plan_.momentum), grad);
                store(mean + i, velocity);
                scale = splat(1 - plan_.momentum);
                next = old - velocity * rate_;
            }
            if (decay) next -= old * decay_;
            if (l1) {
                const V size = absolute(next) - shrink_ / scale;
                next = pick(size < 0.0f, V{}, as_float(as_int(size) | (as_int(next) & (int32_t)0x80000000)));
            }
            store(w + i, next);
        }
    }

    Member& member_;
    const tauten_plan& plan_;
    float rate_ = 0, step_ = 0, deviation_ = 0, decay_ = 0, shrink_ = 0;
};

// Where gradients go: `optimizer` takes each at once; without one they are kept in `space.gradients`.
struct Backward {
    const Member& member;
    const float* w;  // the weights that the gradient is taken at
    Space& space;
    const Optimizer* optimizer;
    int columns, batch;

    // From `inner`, which holds the gradient of the outputs.
    void run() const {
        const Layout& layout = member.layout;
        const Panels<float> gradient = space.panels(space.gradient);
        Panels<float> inner = space.panels(space.inner), next = space.panels(space.other);
        for (int i = (int)layout.hidden(); i >= 0; i--) {
            const Layer& layer = layout.layers[i];
            // Before the weights move.
            if (i > 0) {
                const bool add = member.plan.skip && i < layout.hidden();
                const Panels<float> out = member.plan.skip ? gradient : next;
                back(layer, inner, out, add, [&](int first, int last) { hidden(i - 1, first, last, out, next); });
                const Layer& below = layout.layers[i - 1];
                if (below.scale >= 0) {
                    taken(below.shift, below.out);
                    taken(below.scale, below.out);
                }
            }
            weights(layer, space.panels(space.activations[i]), inner);
            std::swap(inner, next);
        }
    }

   private:
    // The gradient of a layer's input from that of its linear map's output.
    template <class Finished>
    void back(const Layer& layer, Panels<float> inner, Panels<float> out, bool add, Finished finished) const {
#if TAUTEN_BF16
        if (member.plan.bf16) {
            const Panels<uint32_t> paired = space.panels(space.paired);
            uint32_t* weights = space.paired_weights.data();
            feature_pairs(inner, layer.out, columns, paired);
            within_rows(w + layer.weight, layer.in, layer.next, weights);
            const Values<uint32_t> values{weights, layer.next / 2, 1};
            product(layer.in, (layer.out + 1) / 2, values, paired, out, columns, add, finished);
            return;
        }
#endif
        product(layer.in, layer.out, Values<float>{w + layer.weight, layer.next, 1}, inner, out, columns, add, finished);
    }

    void weights(const Layer& layer, Panels<float> in, Panels<float> inner) const {
        const int64_t next = space.turned_next;
        const auto begin = [&](int row, int rows, int column, int width) {
            if (!optimizer) return;
            for (int r = 0; r < rows; r++) optimizer->fetch(layer.weight + (row + r) * layer.next + column, width);
        };
        const auto consume = [&](int row, int rows, int column, int width, const float* block) {
            const In optimizing(OPTIMIZER);
            for (int r = 0; r < rows; r++)
                take(layer.weight + (row + r) * layer.next + column, width, block + r * WIDTH, true);
        };
        if (!member.plan.bf16) {
            turned(inner, layer.out, columns, space.turned.data(), next);
            outer<float>(layer.in, padded(layer.out), in, space.turned.data(), next, batch, begin, consume);
        }
#if TAUTEN_BF16
        else {
            const Panels<uint32_t> paired = space.panels(space.paired);
            column_pairs(in, layer.in, columns, paired);
            turned_pairs(inner, layer.out, columns, space.paired_turned.data(), next);
            outer<uint32_t>(layer.in, padded(layer.out), paired, space.paired_turned.data(), next, batch, begin, consume);
        }
#endif
        if (layer.bias < 0) return;
        float* g = space.gradients.data() + layer.bias;
        for (int f = 0; f < layer.out; f++) {
            V total{};
            const float* own = inner.at(0, f);
            sweep(columns, space.stride, [&](int64_t at, int) { total += load(own + at); });
            g[f] = sum(total);
        }
        taken(layer.bias, layer.out);
    }

    // Through dropout, activation and batch norm: `from` the gradient of a layer's output `to` that of its linear map's.
    void hidden(int index, int first, int last, Panels<float> from, Panels<float> to) const {
        const In normalization(NORMALIZATION);
        const Layer& layer = member.layout.layers[index];
        const Panels<float> slope = space.panels(space.slopes[index]), normed = space.panels(space.normed[index]);
        const bool norm = layer.scale >= 0, rectifier = member.plan.activation == RELU;
        const V keep = splat(member.keep(index, true));
        const uint16_t* bits = space.bits[index].data();
        const int rows = last - first;
        V total[ROWS], weighted[ROWS];
        for (int i = 0; i < rows; i++) {
            const int f = first + i;
            const uint16_t* on = bits + (int64_t)f * (columns / LANES);
            const float *own = from.at(0, f), *factor = slope.at(0, f), *unit = normed.at(0, f);
            float* dy = to.at(0, f);
            V all{}, dot{};
            sweep(columns, space.stride, [&](int64_t at, int c) __attribute__((always_inline)) {
                const V g = load(own + at);
                const V y = rectifier ? pick(lanes_of(on[c / LANES]), g * keep, V{}) : g * load(factor + at);
                store(dy + at, y);
                if (norm) {
                    all += y;
                    dot = fma(y, load(unit + at), dot);
                }
            });
            total[i] = all;
            weighted[i] = dot;
        }
        if (!norm) return;
        for (int i = 0; i < rows; i++) {
            const int f = first + i;
            const float shift = sum(total[i]), scale = sum(weighted[i]);
            space.gradients.data()[layer.shift + f] = shift;
            space.gradients.data()[layer.scale + f] = scale;
            const V factor = splat(w[layer.scale + f] * space.inverse[index].data()[f]);
            const V a = splat(-shift / batch), b = splat(-scale / batch);
            const float* unit = normed.at(0, f);
            float* dz = to.at(0, f);
            sweep(columns, space.stride, [&](int64_t at, int c) {
                const V own = fma(b, load(unit + at), load(dz + at) + a) * factor;
                store(dz + at, c + LANES <= batch ? own : pick(real(c, batch), own, V{}));
            });
        }
    }

    void take(int64_t at, int64_t n, const float* g, bool kernel) const {
        if (optimizer) return optimizer->run(at, n, g, w, kernel);
        const V twice = splat(2 * member.plan.l2);
        for (int64_t i = 0; i < n; i += LANES)
            store(space.gradients.data() + at + i, fma(load(w + at + i), twice, load(g + i)));
    }

    // A vector of gradients that lie in `gradients` already.
    void taken(int64_t at, int out) const {
        if (optimizer) optimizer->run(at, padded(out), space.gradients.data() + at, w, false);
    }
};

}  // namespace tauten
