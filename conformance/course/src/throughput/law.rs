//! What is expected: the textbook's formulas, and what follows for a machine that does otherwise than the
//! textbook's.
//!
//! `a` is the time that a datagram travels, over the time that it takes to be put on the link; `p` is the
//! share of datagrams that are lost; `w` is the window, in messages.

/// Stop-and-wait: a message, and then nothing until its acknowledgement is there. (1-p)/(1+2a)
pub fn stop_and_wait(a: f64, p: f64) -> f64 {
    (1.0 - p) / (1.0 + 2.0 * a)
}

/// Stop-and-wait where the acknowledgement takes as long as the message, as in lesson 1, which sends the
/// message back. (1-p)/(2+2a)
pub fn stop_and_wait_in_full(a: f64, p: f64) -> f64 {
    (1.0 - p) / (2.0 + 2.0 * a)
}

/// A window where nothing is lost: as many messages in a round trip, and no more than the link carries.
/// min(1, w/(1+2a))
pub fn window(a: f64, w: f64) -> f64 {
    (w / (1.0 + 2.0 * a)).min(1.0)
}

/// Selective repeat with a window that is large enough: what is lost costs the time of one repeat. 1-p
pub fn selective_repeat(p: f64) -> f64 {
    1.0 - p
}

/// Go-back-N whose window fills the link, as in the textbook: each loss costs a round trip, as the sender
/// learns of it one round trip after the message was sent. (1-p)/(1+2ap)
pub fn go_back_n(a: f64, p: f64) -> f64 {
    (1.0 - p) / (1.0 + 2.0 * a * p)
}

/// Go-back-N as lesson 4 has it, with one timer that is set anew by each acknowledgement. (1-p)/(1+2ap(2-p))
///
/// Let a datagram take the time 1, and a round trip and the timeout r = 1+2a. Count from a timeout, when
/// the sender goes back and sends without a pause from then on. With q = 1-p, the n-th datagram from there is
/// the first to be lost with probability q^(n-1) p: then n-1 messages got through, q/p in the mean.
///
/// Where it is the first one (n = 1), the next timeout comes after r. Else the last acknowledgement is that
/// of datagram n-1, which was sent at n-2 and answered at n-2+r; then the timer runs for another r. The mean
/// of n-2, where n is at least 2, is q/p. So from one timeout to the next it takes p r + q (q/p + 2r) in the
/// mean, and the link is used for
///
/// (q/p) / (p r + q (q/p + 2r)) = q / (p r (1+q) + q^2) = q / (1 + 2a p (1+q)):
///
/// since p (1+q) + q^2 = 1. The textbook has a timer for each message, and 1 in the place of 1+q = 2-p.
pub fn go_back_n_with_one_timer(a: f64, p: f64) -> f64 {
    (1.0 - p) / (1.0 + 2.0 * a * p * (2.0 - p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_loss_and_delay_nothing_is_wasted() {
        for value in [
            stop_and_wait(0.0, 0.0),
            window(0.0, 1.0),
            window(2.0, 8.0),
            selective_repeat(0.0),
            go_back_n(3.0, 0.0),
            go_back_n_with_one_timer(3.0, 0.0),
        ] {
            assert!((value - 1.0).abs() < 1e-12, "{value}");
        }
    }

    #[test]
    fn the_derivation_of_the_one_timer_is_right() {
        for (a, p) in [(0.5, 0.1), (3.5, 0.3), (1.0, 0.01)] {
            let (q, r) = (1.0 - p, 1.0 + 2.0 * a);
            // The sums over n, term by term.
            let (mut through, mut took, mut chance) = (0.0, 0.0, p);
            for n in 1..20_000 {
                let n = f64::from(n);
                through += chance * (n - 1.0);
                took += chance * if n < 2.0 { r } else { n - 2.0 + 2.0 * r };
                chance *= q;
            }
            // From n = 2 on: the wait of what was answered last at n-2+r, and another r.
            let expected = go_back_n_with_one_timer(a, p);
            assert!((through / took - expected).abs() < 1e-9, "{} {expected}", through / took);
        }
    }
}
