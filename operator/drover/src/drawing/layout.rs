//! Where the boxes of a graph stand, and how its arrows go.
//!
//! Layers from left to right, one for each wave; a wave with many groups has several, because groups of
//! one wave do not depend on each other. When there are many layers they go on in another *band* below,
//! as text goes on in another line. Within a layer boxes are ordered so that few arrows cross, and moved
//! towards those they are connected with. An arrow never crosses a box: within a band it passes
//! through a slot of its own in each layer between, and from one band to another it goes through the
//! room between columns and between bands.
//!
//! Everything is bounded: passes are counted, and slots are made only for so many arrows as are drawn.

/// Between two layers: room for arrows.
pub const GAP: f64 = 56.0;
/// Between two boxes of a layer.
const BETWEEN: f64 = 16.0;
/// The height of a slot that an arrow passes through.
const SLOT: f64 = 8.0;
/// Above the boxes of a band, for the names of its waves.
pub const HEAD: f64 = 26.0;
/// Between two bands, at least; each arrow that goes on in another band adds a lane.
const CORRIDOR: f64 = 30.0;
/// Between two lanes of a corridor.
const LANE: f64 = 5.0;
/// From a box to the nearest arrow that goes down beside it.
const MARGIN: f64 = GAP / 4.0;
/// The most lanes of a corridor: more arrows share them.
const MOST_LANES: usize = 12;
/// Times that boxes are ordered, forth and back: more changes little.
const PASSES: usize = 6;
/// A picture is so much wider than it is high, where it can be chosen.
const ASPECT: f64 = 1.7;
/// The fewest layers that are worth going on in another band.
const ONE_BAND: usize = 8;

/// What is laid out.
#[derive(Clone, Debug)]
pub struct Graph {
    /// The boxes: wave, from 0, and height.
    pub boxes: Vec<(usize, f64)>,
    /// The width of all boxes.
    pub width: f64,
    /// Arrows from box to box, always to a later wave.
    pub arrows: Vec<(usize, usize)>,
}

/// A point.
pub type Point = (f64, f64);

/// How an arrow goes.
#[derive(Clone, Debug, PartialEq)]
pub enum Way {
    /// Through these points, in a curve.
    Curve(Vec<Point>),
    /// Through these points, in straight lines with round corners.
    Corners(Vec<Point>),
}

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The upper left corner of each box.
    pub boxes: Vec<Point>,
    /// The arrows, in their order.
    pub arrows: Vec<Way>,
    /// Each wave: its number from 0, its left end, its upper end, and its width. A wave that goes on in
    /// another band is there twice.
    pub waves: Vec<(usize, Point, f64)>,
    /// Width and height of it all.
    pub size: Point,
}

/// Lays a graph out.
pub fn lay_out(graph: &Graph) -> Layout {
    let mut plan = Plan::new(graph);
    plan.order();
    plan.place();
    plan.finish()
}

/// A box, or the slot of an arrow that passes through a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Box(usize),
    Slot,
}

struct Plan<'g> {
    graph: &'g Graph,
    /// Items, each with its layer and its upper end within the band.
    items: Vec<(Item, usize, f64)>,
    /// For each layer its wave, and its items from top to bottom.
    layers: Vec<(usize, Vec<usize>)>,
    /// Layers of a band.
    band: usize,
    /// Pairs of items in neighbouring layers of one band.
    links: Vec<(usize, usize)>,
    /// For each arrow the items that it passes, its ends included.
    paths: Vec<Vec<usize>>,
}

impl<'g> Plan<'g> {
    fn new(graph: &'g Graph) -> Self {
        let layers = layers(graph);
        let band = layers_of_a_band(graph, &layers);
        let mut plan = Self {
            graph,
            items: vec![(Item::Slot, 0, 0.0); graph.boxes.len()],
            layers,
            band,
            links: Vec::new(),
            paths: Vec::new(),
        };
        for (layer, (_, boxes)) in plan.layers.iter().enumerate() {
            for each in boxes {
                plan.items[*each] = (Item::Box(*each), layer, 0.0);
            }
        }
        for &(from, to) in &graph.arrows {
            plan.arrow(from, to);
        }
        plan
    }

    /// Makes slots for an arrow that passes layers of its band.
    fn arrow(&mut self, from: usize, to: usize) {
        let (first, last) = (self.items[from].1, self.items[to].1);
        let mut path = vec![from];
        if first / self.band == last / self.band {
            for layer in first + 1..last {
                let slot = self.items.len();
                self.items.push((Item::Slot, layer, 0.0));
                self.layers[layer].1.push(slot);
                path.push(slot);
            }
            path.push(to);
            self.links
                .extend(path.windows(2).map(|two| (two[0], two[1])));
        } else {
            path.push(to);
        }
        self.paths.push(path);
    }

    fn height(&self, item: usize) -> f64 {
        match self.items[item].0 {
            Item::Box(index) => self.graph.boxes[index].1,
            Item::Slot => SLOT,
        }
    }

    /// Orders each layer by where its neighbours stand in theirs.
    fn order(&mut self) {
        let [before, after] = self.neighbours();
        let mut rank = vec![0.0; self.items.len()];
        self.rank(&mut rank);
        for pass in 0..PASSES {
            let forth = pass % 2 == 0;
            let neighbours = if forth { &before } else { &after };
            let count = self.layers.len();
            for step in 0..count {
                let layer = if forth { step } else { count - 1 - step };
                let wish = |item: &usize| mean(neighbours[*item].iter().map(|each| rank[*each]));
                let own = |item: &usize| wish(item).unwrap_or(rank[*item]);
                let mut wanted: Vec<(f64, usize)> = self.layers[layer]
                    .1
                    .iter()
                    .map(|item| (own(item), *item))
                    .collect();
                wanted.sort_by(|one, other| one.0.total_cmp(&other.0));
                self.layers[layer].1 = wanted.into_iter().map(|(_, item)| item).collect();
                self.rank(&mut rank);
            }
        }
    }

    /// Where each item stands in its layer, from 0 to 1.
    fn rank(&self, rank: &mut [f64]) {
        for (_, items) in &self.layers {
            for (position, item) in items.iter().enumerate() {
                rank[*item] = (real(position) + 0.5) / real(items.len());
            }
        }
    }

    /// For each item those that it is linked with, in the layer before and in the layer after.
    fn neighbours(&self) -> [Vec<Vec<usize>>; 2] {
        let mut before = vec![Vec::new(); self.items.len()];
        let mut after = before.clone();
        for &(from, to) in &self.links {
            before[to].push(from);
            after[from].push(to);
        }
        [before, after]
    }

    /// Gives each item its height in the band: as near to its neighbours as the order leaves.
    fn place(&mut self) {
        let [before, after] = self.neighbours();
        for layer in 0..self.layers.len() {
            let wishes = vec![None; self.layers[layer].1.len()];
            self.settle(layer, &wishes);
        }
        for pass in 0..PASSES {
            let forth = pass % 2 == 0;
            let neighbours = if forth { &before } else { &after };
            let count = self.layers.len();
            for step in 0..count {
                let layer = if forth { step } else { count - 1 - step };
                let middle = |item: &usize| self.items[*item].2 + self.height(*item) / 2.0;
                let items = self.layers[layer].1.iter();
                let wishes: Vec<Option<f64>> = items
                    .map(|item| mean(neighbours[*item].iter().map(middle)))
                    .collect();
                self.settle(layer, &wishes);
            }
        }
    }

    /// Puts the items of a layer as near as possible to where their middles should be, in their order and
    /// without overlap. Those with no wish stay where they are.
    fn settle(&mut self, layer: usize, wishes: &[Option<f64>]) {
        let items = self.layers[layer].1.clone();
        // Without the heights above it, an item may stand nowhere above the one before it: the nearest
        // such positions are means of runs of items that would overlap.
        let mut above = 0.0;
        let mut runs: Vec<(f64, usize)> = Vec::new();
        let mut offsets = Vec::with_capacity(items.len());
        for (item, wish) in items.iter().zip(wishes) {
            let height = self.height(*item);
            let top = wish.map_or(self.items[*item].2, |middle| middle - height / 2.0);
            offsets.push(above);
            runs.push((top - above, 1));
            above += height + BETWEEN;
            while let [.., (before, many), (last, few)] = runs[..]
                && before > last
            {
                runs.pop();
                let sum = before * real(many) + last * real(few);
                runs.pop();
                runs.push((sum / real(many + few), many + few));
            }
        }
        let tops = runs
            .iter()
            .flat_map(|(top, many)| std::iter::repeat_n(*top, *many));
        for ((item, top), offset) in items.iter().zip(tops).zip(offsets) {
            self.items[*item].2 = top + offset;
        }
    }

    fn finish(self) -> Layout {
        let column = self.graph.width + GAP;
        let bands = self.bands();
        let spot = |item: usize| {
            let (_, layer, top) = self.items[item];
            let band = &bands[layer / self.band];
            let left = GAP / 2.0 + real(layer % self.band) * column;
            (left, band.top + HEAD + top - band.least)
        };
        let count = self.graph.boxes.len();
        let columns = self.layers.len().min(self.band);
        let height = bands
            .last()
            .map_or(0.0, |band| band.top + HEAD + band.height);
        Layout {
            boxes: (0..count).map(spot).collect(),
            arrows: self.ways(&bands, &spot),
            waves: self.waves(&bands, column),
            size: (real(columns) * column, height),
        }
    }

    /// Where each band begins, how high it is, and how high its highest item stands.
    fn bands(&self) -> Vec<Band> {
        let mut lanes = vec![0_usize; self.layers.len() / self.band + 1];
        for path in &self.paths {
            let (from, to) = self.ends(path);
            if from != to {
                lanes[to] += 1;
            }
        }
        let mut bands: Vec<Band> = Vec::new();
        for (number, layers) in self.layers.chunks(self.band).enumerate() {
            let items = layers.iter().flat_map(|(_, items)| items);
            let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
            for item in items {
                least = least.min(self.items[*item].2);
                most = most.max(self.items[*item].2 + self.height(*item));
            }
            let room = CORRIDOR + LANE * real(lanes[number].min(MOST_LANES));
            let top = bands
                .last()
                .map_or(0.0, |last| last.top + HEAD + last.height + room);
            bands.push(Band {
                top,
                least,
                height: most - least,
                lanes: lanes[number],
            });
        }
        bands
    }

    fn ends(&self, path: &[usize]) -> (usize, usize) {
        let band = |item: Option<&usize>| item.map_or(0, |item| self.items[*item].1 / self.band);
        (band(path.first()), band(path.last()))
    }

    fn ways(&self, bands: &[Band], spot: &impl Fn(usize) -> Point) -> Vec<Way> {
        let mut used = vec![0_usize; bands.len()];
        let ways = self.paths.iter().map(|path| {
            let (from, to) = self.ends(path);
            if from == to {
                return Way::Curve(self.through(path, spot));
            }
            let lane = used[to] % MOST_LANES;
            used[to] += 1;
            let lane_of = bands[to].lanes.min(MOST_LANES);
            self.around(path, &bands[to], (lane, lane_of), spot)
        });
        ways.collect()
    }

    /// From the right of the first box through slots to the left of the last.
    fn through(&self, path: &[usize], spot: &impl Fn(usize) -> Point) -> Vec<Point> {
        let mut points = Vec::new();
        for (position, item) in path.iter().enumerate() {
            let (left, top) = spot(*item);
            let middle = top + self.height(*item) / 2.0;
            if position > 0 {
                points.push((left, middle));
            }
            if position + 1 < path.len() {
                points.push((left + self.graph.width, middle));
            }
        }
        points
    }

    /// From the right of the first box down the room between columns, along the room above the band of
    /// the last, and down to its left.
    fn around(
        &self,
        path: &[usize],
        band: &Band,
        (lane, lanes): (usize, usize),
        spot: &impl Fn(usize) -> Point,
    ) -> Way {
        let side = |item: Option<&usize>| {
            let item = item.copied().unwrap_or_default();
            let (left, top) = spot(item);
            (left, top + self.height(item) / 2.0)
        };
        let ((from, out), (to, into)) = (side(path.first()), side(path.last()));
        let from = from + self.graph.width;
        // Lanes lie in the middle of the corridor, side by side.
        let beside = LANE * (real(lane) - (real(lanes) - 1.0) / 2.0);
        let along = band.top - f64::midpoint(CORRIDOR, LANE * real(lanes)) + beside;
        let shift = shift(lane, lanes);
        let (down, at) = (from + GAP / 2.0 + shift, to - GAP / 2.0 + shift);
        Way::Corners(vec![
            (from, out),
            (down, out),
            (down, along),
            (at, along),
            (at, into),
            (to, into),
        ])
    }

    fn waves(&self, bands: &[Band], column: f64) -> Vec<(usize, Point, f64)> {
        let mut waves: Vec<(usize, usize, usize)> = Vec::new();
        for (layer, (wave, _)) in self.layers.iter().enumerate() {
            match waves.last_mut() {
                Some((last, _, until)) if *last == *wave && layer % self.band != 0 => {
                    *until = layer;
                }
                _ => waves.push((*wave, layer, layer)),
            }
        }
        let waves = waves.into_iter().map(|(wave, first, last)| {
            let left = GAP / 2.0 + real(first % self.band) * column;
            let width = real(last - first) * column + self.graph.width;
            (wave, (left, bands[first / self.band].top), width)
        });
        waves.collect()
    }
}

/// How far from the middle of the room between two columns an arrow of a lane goes down: each lane elsewhere, and none
/// near the boxes.
fn shift(lane: usize, lanes: usize) -> f64 {
    let spaces = real(lanes) - 1.0;
    let step = ((GAP - 2.0 * MARGIN) / spaces.max(1.0)).min(LANE);
    step * (real(lane) - spaces / 2.0)
}

struct Band {
    top: f64,
    /// The upper end of its highest item, before it is moved to its place.
    least: f64,
    height: f64,
    /// Arrows that come from bands above.
    lanes: usize,
}

/// The waves, each in as many layers as keep the picture from growing only downwards.
fn layers(graph: &Graph) -> Vec<(usize, Vec<usize>)> {
    let mut waves: Vec<Vec<usize>> = Vec::new();
    for (index, (wave, _)) in graph.boxes.iter().enumerate() {
        if waves.len() <= *wave {
            waves.resize(*wave + 1, Vec::new());
        }
        waves[*wave].push(index);
    }
    let most = (graph.boxes.len() * 13 / 10).isqrt().clamp(6, 40);
    let mut layers = Vec::new();
    for (wave, boxes) in waves.into_iter().enumerate() {
        let parts = boxes.len().div_ceil(most).max(1);
        let size = boxes.len().div_ceil(parts).max(1);
        layers.extend(boxes.chunks(size).map(|part| (wave, part.to_vec())));
    }
    layers
}

/// As many layers as make the picture about as wide as it should be for its height.
fn layers_of_a_band(graph: &Graph, layers: &[(usize, Vec<usize>)]) -> usize {
    if layers.len() <= ONE_BAND {
        return layers.len().max(1);
    }
    let of = |boxes: &[usize]| -> f64 {
        boxes
            .iter()
            .map(|each| graph.boxes[*each].1 + BETWEEN)
            .sum()
    };
    let highest = layers
        .iter()
        .map(|(_, boxes)| of(boxes))
        .fold(0.0, f64::max);
    let band = highest + HEAD + CORRIDOR;
    // So many layers side by side, and the others below them.
    let fits = |count: &usize| {
        let (wide, high) = (
            real(*count) * (graph.width + GAP),
            real(layers.len()) / real(*count) * band,
        );
        wide <= ASPECT * high
    };
    let most = (1..=layers.len()).rev().find(fits).unwrap_or(1).max(4);
    // Bands of the same length look better than a last one with a single layer.
    let bands = layers.len().div_ceil(most);
    layers.len().div_ceil(bands)
}

fn mean(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = numbers.fold((0.0, 0_usize), |(sum, count), each| (sum + each, count + 1));
    (count > 0).then(|| sum / real(count))
}

fn real(number: usize) -> f64 {
    // There are never so many boxes.
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Boxes in waves of these sizes, each with arrows from some boxes of earlier waves.
    fn graph(waves: &[usize]) -> Graph {
        let mut boxes = Vec::new();
        let mut arrows = Vec::new();
        for (wave, size) in waves.iter().enumerate() {
            let before = boxes.len();
            for each in 0..*size {
                let index = boxes.len();
                boxes.push((wave, 50.0 + 17.0 * real(index % 4)));
                if before > 0 {
                    arrows.extend(
                        [(each * 7) % before, (each * 3 + wave) % before].map(|from| (from, index)),
                    );
                }
            }
        }
        Graph {
            boxes,
            width: 180.0,
            arrows,
        }
    }

    fn overlap(graph: &Graph, layout: &Layout, one: usize, other: usize) -> bool {
        let ((x, y), (left, top)) = (layout.boxes[one], layout.boxes[other]);
        let (high, low) = (graph.boxes[one].1, graph.boxes[other].1);
        (x - left).abs() < graph.width && y < top + low && top < y + high
    }

    #[test]
    fn boxes_keep_apart_and_within_the_picture() {
        for waves in [
            &[1][..],
            &[1, 3, 4, 1, 2, 2],
            &[200],
            &[1; 200],
            &[3; 60],
            &[40, 1, 40, 7],
        ] {
            let graph = graph(waves);
            let layout = lay_out(&graph);
            for one in 0..graph.boxes.len() {
                let (x, y) = layout.boxes[one];
                let (_, height) = graph.boxes[one];
                assert!(
                    x >= 0.0 && x + graph.width <= layout.size.0,
                    "{waves:?}: {x}"
                );
                assert!(
                    y >= HEAD && y + height <= layout.size.1 + 0.01,
                    "{waves:?}: {y}"
                );
                for other in 0..one {
                    assert!(
                        !overlap(&graph, &layout, one, other),
                        "{waves:?}: {one} and {other}"
                    );
                }
            }
        }
    }

    #[test]
    fn an_arrow_leaves_to_the_right_and_arrives_from_the_left() {
        let graph = graph(&[2, 5, 9, 5, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3]);
        let layout = lay_out(&graph);
        for (way, (from, to)) in layout.arrows.iter().zip(&graph.arrows) {
            let (Way::Curve(points) | Way::Corners(points)) = way;
            let middle = |each: usize| layout.boxes[each].1 + graph.boxes[each].1 / 2.0;
            let begin = (layout.boxes[*from].0 + graph.width, middle(*from));
            assert_eq!(points.first(), Some(&begin));
            assert_eq!(points.last(), Some(&(layout.boxes[*to].0, middle(*to))));
        }
    }

    #[test]
    fn every_lane_goes_down_in_a_place_of_its_own() {
        for lanes in 1..=MOST_LANES {
            let places: Vec<f64> = (0..lanes).map(|lane| shift(lane, lanes)).collect();
            assert!(
                places.windows(2).all(|pair| pair[1] - pair[0] > 2.0),
                "{places:?}"
            );
            let most = GAP / 2.0 - MARGIN + 0.01;
            assert!(places.iter().all(|place| place.abs() < most), "{places:?}");
        }
    }

    #[test]
    fn a_long_chain_goes_on_below_and_many_of_one_wave_beside_each_other() {
        for waves in [&[1; 200][..], &[200]] {
            let (width, height) = lay_out(&graph(waves)).size;
            assert!(
                width < 6.0 * height && height < 4.0 * width,
                "{waves:?}: {width} by {height}"
            );
        }
    }
}
