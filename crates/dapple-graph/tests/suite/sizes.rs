//! Output sizes against PyTorch's; `golden/make.py` wrote the expected ones.

use dapple_graph::{Conv2d, ConvTranspose2d, Graph, GraphError, MaxPool, NodeId, Shape};

fn pair(text: &str) -> [usize; 2] {
    let mut numbers = text.split(' ').map(|n| n.parse().expect("the script writes numbers"));
    [0; 2].map(|_| numbers.next().expect("the script writes pairs"))
}

fn build(graph: &mut Graph, fields: &[&str]) -> Result<NodeId, GraphError> {
    let [kernel, stride, padding, dilation] = [2, 3, 4, 5].map(|i| pair(fields[i]));
    let x = graph.input();
    match fields[0] {
        "conv2d" => {
            let conv = Conv2d { kernel, stride, padding, dilation, ..Conv2d::new(1, 1) };
            graph.conv2d("conv", x, &conv)
        }
        "conv_transpose2d" => {
            let conv = ConvTranspose2d { kernel, stride, padding, ..ConvTranspose2d::new(1, 1, 1) };
            graph.conv_transpose2d("conv", x, &conv)
        }
        _ => graph.max_pool(x, &MaxPool { kernel, stride, padding, ceil: fields[6] == "1" }),
    }
}

#[test]
fn sizes_are_pytorchs_and_what_pytorch_refuses_is_refused() {
    for line in include_str!("../golden/sizes.csv").lines() {
        let fields: Vec<&str> = line.split(',').collect();
        let [h, w] = pair(fields[1]);
        let mut graph = Graph::new(Shape::new(1, h, w, 1));
        match (build(&mut graph, &fields), fields[7]) {
            (Err(_), "-") => {}
            (Ok(y), "-") => panic!("{line}: refused by PyTorch, here {}", graph.shape(y)),
            (found, expected) => {
                let [h, w] = pair(expected);
                let found = found.unwrap_or_else(|error| panic!("{line}: {error}"));
                assert_eq!(graph.shape(found), Shape::new(1, h, w, 1), "{line}");
            }
        }
    }
}

#[test]
fn every_pooling_window_has_a_pixel_of_the_image() {
    for (size, kernel, stride) in
        (1..9usize).flat_map(|s| (1..6).flat_map(move |k| (1..5).map(move |t| (s, k, t))))
    {
        for (padding, ceil) in (0..=kernel / 2).flat_map(|p| [(p, false), (p, true)]) {
            let mut graph = Graph::new(Shape::new(1, size, size, 1));
            let pool = MaxPool::new(kernel, stride).padding(padding).ceil(ceil);
            let Ok(y) = graph.max_pool(graph.input(), &pool) else { continue };
            let last = (graph.shape(y).h - 1) * stride;
            assert!(last < size + padding && kernel > padding, "{size} {pool:?}");
        }
    }
}
