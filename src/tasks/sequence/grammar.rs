//! A small probabilistic grammar whose entropy is known exactly.

use rand::Rng;

use super::{check_context, generated, next_tokens};
use crate::base::rng::{Stream, Streams};
use crate::tasks::data::{Split, Task};
use crate::tasks::error::TaskError;
use crate::tasks::spec::TaskSpec;

const TRAIN: usize = 4_000;
const TEST: usize = 500;

type Production = (f64, &'static str);

/// Each rule with its alternatives and their probabilities; capitals name rules, other words are tokens. Verbs
/// agree with the number of their noun, over relative clauses of any depth, which is what there is to learn.
///
/// The next token always tells which alternative was taken (the grammar is LL(1)), so a sentence has one
/// derivation, and the probability of the next token given all before is a product of alternatives' weights.
const RULES: &[(&str, &[Production])] = &[
    ("Sentence", &[(0.5, "One VerbOne ."), (0.5, "Many VerbMany .")]),
    ("One", &[(0.7, "a RestOne"), (0.3, "every RestOne")]),
    ("Many", &[(0.6, "some RestMany"), (0.4, "many RestMany")]),
    (
        "RestOne",
        &[
            (0.10, "small RestOne"),
            (0.07, "old RestOne"),
            (0.03, "quiet RestOne"),
            (0.30, "cat WhichOne"),
            (0.20, "dog WhichOne"),
            (0.15, "bird WhichOne"),
            (0.15, "child WhichOne"),
        ],
    ),
    (
        "RestMany",
        &[
            (0.10, "small RestMany"),
            (0.07, "old RestMany"),
            (0.03, "quiet RestMany"),
            (0.30, "cats WhichMany"),
            (0.20, "dogs WhichMany"),
            (0.15, "birds WhichMany"),
            (0.15, "children WhichMany"),
        ],
    ),
    ("WhichOne", &[(0.75, ""), (0.25, "that VerbOne")]),
    ("WhichMany", &[(0.75, ""), (0.25, "that VerbMany")]),
    (
        "VerbOne",
        &[
            (0.25, "sees Object"),
            (0.20, "hears Object"),
            (0.15, "chases Object"),
            (0.25, "sleeps Manner"),
            (0.15, "sings Manner"),
        ],
    ),
    (
        "VerbMany",
        &[
            (0.25, "see Object"),
            (0.20, "hear Object"),
            (0.15, "chase Object"),
            (0.25, "sleep Manner"),
            (0.15, "sing Manner"),
        ],
    ),
    ("Object", &[(0.6, "One"), (0.4, "Many")]),
    ("Manner", &[(0.6, ""), (0.25, "quietly"), (0.15, "together")]),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Symbol {
    Word(u32),
    Rule(usize),
}

struct Grammar {
    /// Alternatives of each rule: probability and symbols.
    rules: Vec<Vec<(f64, Vec<Symbol>)>>,
    /// In the order of first appearance.
    words: Vec<String>,
}

impl Grammar {
    fn new(rules: &[(&str, &[Production])]) -> Self {
        let mut words: Vec<String> = Vec::new();
        let mut symbol = |name: &str| {
            if let Some(rule) = rules.iter().position(|(rule, _)| *rule == name) {
                return Symbol::Rule(rule);
            }
            let known = words.iter().position(|word| word == name);
            Symbol::Word(known.unwrap_or_else(|| {
                words.push(name.to_owned());
                words.len() - 1
            }) as u32)
        };
        let mut alternatives =
            |(weight, text): &Production| (*weight, text.split_whitespace().map(&mut symbol).collect());
        let rules = rules.iter().map(|(_, list)| list.iter().map(&mut alternatives).collect()).collect();
        Self { rules, words }
    }

    /// Sentences of the first rule, one after another, until `length` tokens are there: each token with its
    /// surprisal `-ln P(token | all before)` in nats.
    fn sample(&self, length: usize, stream: &mut Stream) -> Vec<(u32, f64)> {
        let mut tokens = Vec::with_capacity(length);
        let mut stack: Vec<Symbol> = Vec::new();
        let mut surprisal = 0.0;
        while tokens.len() < length {
            match stack.pop().unwrap_or(Symbol::Rule(0)) {
                Symbol::Word(word) => {
                    tokens.push((word, surprisal));
                    surprisal = 0.0;
                }
                Symbol::Rule(rule) => {
                    let (weight, symbols) = self.choose(rule, stream.random());
                    surprisal -= weight.ln();
                    stack.extend(symbols.iter().rev());
                }
            }
        }
        tokens
    }

    fn choose(&self, rule: usize, u: f64) -> &(f64, Vec<Symbol>) {
        let alternatives = &self.rules[rule];
        let mut below = 0.0;
        alternatives
            .iter()
            .find(|(weight, _)| {
                below += weight;
                u < below
            })
            .unwrap_or(&alternatives[alternatives.len() - 1])
    }

    /// Entropy in nats and expected number of tokens of what each rule makes.
    ///
    /// Both solve linear equations, `H_A = sum_p w_p (-ln w_p + sum of H over p's rules)` and likewise for the
    /// length, here by iteration, which converges as derivations end with probability one.
    fn entropy_and_length(&self) -> Vec<[f64; 2]> {
        let mut values = vec![[0.0; 2]; self.rules.len()];
        for _ in 0..1_000 {
            values = self
                .rules
                .iter()
                .map(|alternatives| {
                    let mut sum = [0.0; 2];
                    for (weight, symbols) in alternatives {
                        let mut own = [-weight.ln(), 0.0];
                        for symbol in symbols {
                            let of = match symbol {
                                Symbol::Word(_) => [0.0, 1.0],
                                Symbol::Rule(rule) => values[*rule],
                            };
                            own = [own[0] + of[0], own[1] + of[1]];
                        }
                        sum = [sum[0] + weight * own[0], sum[1] + weight * own[1]];
                    }
                    sum
                })
                .collect();
        }
        values
    }

    /// `n` rows of `context + 1` tokens, each from the beginning of a sentence, and the mean surprisal of the targets.
    fn split(&self, n: usize, context: usize, stream: &mut Stream) -> (Split, f64) {
        let mut rows = Vec::with_capacity(n * (context + 1));
        let mut surprisal = 0.0;
        for _ in 0..n {
            let row = self.sample(context + 1, stream);
            surprisal += row[1..].iter().map(|(_, s)| s).sum::<f64>();
            rows.extend(row.iter().map(|(word, _)| word));
        }
        (next_tokens(&rows, context, self.words.len(), 0), surprisal / (n * context).max(1) as f64)
    }
}

/// Sentences of the grammar one after another, 29 words. The source states the entropy rate, exactly, and the
/// loss on the test split of a model that knows the grammar: no model can be better but by luck.
///
/// # Errors
/// [`TaskError::BadContext`], [`TaskError::TooLarge`].
pub fn load(spec: &TaskSpec, streams: &Streams) -> Result<Task, TaskError> {
    let context = check_context(spec.context)?;
    let n = generated(spec.train_size, TRAIN, context)?;
    let grammar = Grammar::new(RULES);
    let (train, _) = grammar.split(n, context, &mut streams.stream("task/grammar/train"));
    let (test, floor) = grammar.split(TEST, context, &mut streams.stream("task/grammar/test"));
    let [entropy, length] = grammar.entropy_and_length()[0];
    let source = format!(
        "Generated by a probabilistic grammar; sentences have {length:.2} tokens on average, the entropy rate is \
         {:.4} nats per token; a model that knows the grammar has the loss {floor:.4} on this test split",
        entropy / length
    );
    Ok(Task { title: "Small grammar".into(), train, test, class_names: grammar.words, source })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::tokens;
    use super::*;

    #[test]
    fn weights_of_each_rule_sum_to_one_and_all_words_are_known() {
        for (name, alternatives) in RULES {
            let sum: f64 = alternatives.iter().map(|(weight, _)| weight).sum();
            assert!((sum - 1.0).abs() < 1e-12, "{name}: {sum}");
        }
        let grammar = Grammar::new(RULES);
        assert_eq!(grammar.words.len(), 29);
        assert!(grammar.words.iter().all(|word| !word.starts_with(char::is_uppercase)), "a rule's name is misspelt");
    }

    /// FIRST sets with the end marker `None` for "may be empty".
    fn first(grammar: &Grammar, symbols: &[Symbol], depth: usize) -> BTreeSet<Option<u32>> {
        let Some((symbol, rest)) = symbols.split_first() else { return BTreeSet::from([None]) };
        let mut set: BTreeSet<Option<u32>> = match symbol {
            Symbol::Word(word) => BTreeSet::from([Some(*word)]),
            Symbol::Rule(_) if depth == 0 => BTreeSet::new(),
            Symbol::Rule(rule) => grammar.rules[*rule].iter().flat_map(|(_, s)| first(grammar, s, depth - 1)).collect(),
        };
        if set.remove(&None) {
            set.extend(first(grammar, rest, depth));
        }
        set
    }

    #[test]
    fn the_next_token_tells_which_alternative_was_taken() {
        let grammar = Grammar::new(RULES);
        // FOLLOW sets by iteration.
        let mut follow = vec![BTreeSet::new(); RULES.len()];
        for _ in 0..RULES.len() {
            for rule in 0..RULES.len() {
                for (_, symbols) in &grammar.rules[rule] {
                    for (at, symbol) in symbols.iter().enumerate() {
                        let Symbol::Rule(of) = symbol else { continue };
                        let mut after = first(&grammar, &symbols[at + 1..], 12);
                        if after.remove(&None) {
                            after.extend(follow[rule].clone());
                        }
                        follow[*of].extend(after);
                    }
                }
            }
        }
        for (rule, alternatives) in grammar.rules.iter().enumerate() {
            let mut seen = BTreeSet::new();
            for (_, symbols) in alternatives {
                let mut starts = first(&grammar, symbols, 12);
                if starts.remove(&None) {
                    starts.extend(follow[rule].clone());
                }
                for start in starts {
                    assert!(seen.insert(start), "{}: {start:?} starts two alternatives", RULES[rule].0);
                }
            }
        }
    }

    #[test]
    fn the_entropy_of_a_small_grammar_is_as_by_hand() {
        // A geometric number of a's, then b: H = ln 2 / (1 - 1/2), E[length] = 2.
        let grammar = Grammar::new(&[("S", &[(0.5, "a S"), (0.5, "b")])]);
        let [entropy, length] = grammar.entropy_and_length()[0];
        assert!((entropy - 2.0 * 2.0_f64.ln()).abs() < 1e-12 && (length - 2.0).abs() < 1e-12);
    }

    #[test]
    fn sampled_surprisal_converges_to_the_exact_entropy_rate() {
        let grammar = Grammar::new(RULES);
        let [entropy, length] = grammar.entropy_and_length()[0];
        let n = 400_000;
        let sample = grammar.sample(n, &mut Streams::new(0).stream("entropy"));
        let mean = sample.iter().map(|(_, s)| s).sum::<f64>() / n as f64;
        // Tokens' surprisals have a deviation below 1; four standard errors with room for correlation.
        assert!((mean - entropy / length).abs() < 0.01, "{mean} against {}", entropy / length);
        let full_stop = grammar.words.iter().position(|w| w == ".").unwrap() as u32;
        let sentences = sample.iter().filter(|(word, _)| *word == full_stop).count();
        assert!((n as f64 / sentences as f64 / length - 1.0).abs() < 0.02);
    }

    /// A recursive descent by hand that follows only agreement: number is 1 for one, 2 for many.
    struct Reader<'a>(std::slice::Iter<'a, &'a str>);

    impl<'a> Reader<'a> {
        fn next_if(&mut self, words: &[&str]) -> Option<&'a str> {
            let word = *self.0.as_slice().first()?;
            words.contains(&word).then(|| *self.0.next().unwrap())
        }

        fn noun_phrase(&mut self) -> u32 {
            let one = self.next_if(&["a", "every"]).is_some();
            assert!(one || self.next_if(&["some", "many"]).is_some(), "a determiner is missing");
            while self.next_if(&["small", "old", "quiet"]).is_some() {}
            let nouns = if one { ["cat", "dog", "bird", "child"] } else { ["cats", "dogs", "birds", "children"] };
            self.next_if(&nouns).expect("the noun agrees with its determiner");
            let number = if one { 1 } else { 2 };
            if self.next_if(&["that"]).is_some() {
                self.verb_phrase(number);
            }
            number
        }

        fn verb_phrase(&mut self, number: u32) {
            let with_object = if number == 1 { ["sees", "hears", "chases"] } else { ["see", "hear", "chase"] };
            let without = if number == 1 { ["sleeps", "sings"] } else { ["sleep", "sing"] };
            if self.next_if(&with_object).is_some() {
                self.noun_phrase();
            } else {
                self.next_if(&without).expect("the verb agrees with its noun");
                self.next_if(&["quietly", "together"]);
            }
        }
    }

    #[test]
    fn verbs_agree_with_their_nouns_over_relative_clauses() {
        let grammar = Grammar::new(RULES);
        let sample = grammar.sample(20_000, &mut Streams::new(1).stream("agreement"));
        let words: Vec<&str> = sample.iter().map(|(word, _)| grammar.words[*word as usize].as_str()).collect();
        let end = words.iter().rposition(|word| *word == ".").unwrap() + 1;
        let mut reader = Reader(words[..end].iter());
        let mut sentences = 0;
        while !reader.0.as_slice().is_empty() {
            let number = reader.noun_phrase();
            reader.verb_phrase(number);
            reader.next_if(&["."]).expect("a sentence ends with a full stop");
            sentences += 1;
        }
        assert!(sentences > 1_000);
    }

    #[test]
    fn rows_begin_with_a_sentence_and_the_floor_is_stated() {
        let task = load(&TaskSpec::default(), &Streams::new(0)).unwrap();
        let (ids, targets) = tokens(&task.train);
        assert_eq!((ids.len(), targets.len()), (TRAIN * 32, TRAIN * 32));
        let begins = |row: &[u32]| ["a", "every", "some", "many"].contains(&task.class_names[row[0] as usize].as_str());
        assert!(ids.chunks_exact(32).all(begins));
        assert!(task.source.contains("nats per token"), "{}", task.source);
    }
}
