//! The moving average (EMA) of parameters and running statistics.

use super::TorchTrainer;
use tch::{Kind, TchError};

impl TorchTrainer {
    /// `average = decay average + (1 - decay) values`; the first time, the values.
    pub(super) fn move_average(&mut self, decay: f32) -> Result<(), TchError> {
        let now = [&self.executor.params.values, &self.executor.params.statistics];
        match &mut self.average {
            None => {
                // Copies: running statistics are moved in their place.
                let [values, statistics] = now.map(|tensor| tensor.f_to_dtype(Kind::Float, false, true));
                self.average = Some([values?, statistics?]);
            }
            Some(average) => {
                for (average, now) in average.iter_mut().zip(now) {
                    drop(average.f_lerp_(now, f64::from(1.0 - decay))?);
                }
            }
        }
        Ok(())
    }
}
